package verify

// rates are measured bits per second.
type rates struct{ peak, average int64 }

// rates measures the rendition as RFC 8216bis §4.1 defines it: the peak is over
// runs of whole segments between half and one and a half target durations.
func (r *rendition) rates() rates {
	var out rates
	var size, micros int64
	for i, s := range r.segments {
		size, micros = size+s.size, micros+s.micros
		out.peak = max(out.peak, r.peakFrom(i))
	}
	out.average = perSecond(size, micros)
	out.peak = max(out.peak, out.average)
	return out
}

// peakFrom is the highest rate of the runs that begin with segment i.
func (r *rendition) peakFrom(i int) (peak int64) {
	var size, micros int64
	for j, s := range r.segments[i:] {
		if j > 0 && s.number != r.segments[i+j-1].number+1 {
			break
		}
		size, micros = size+s.size, micros+s.micros
		if micros*2 > r.list.target*3_000_000 {
			break
		}
		if micros*2 >= r.list.target*1_000_000 {
			peak = max(peak, perSecond(size, micros))
		}
	}
	return peak
}

func perSecond(bytes, micros int64) int64 {
	if micros <= 0 {
		return 0
	}
	return bytes * 8 * 1_000_000 / micros
}
