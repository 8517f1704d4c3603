package hls

// Rates are bits per second as RFC 8216bis §4.1 defines them.
type Rates struct{ Peak, Average int64 }

// Rates measures the playlist: the average over all of it, and the peak over
// runs of whole segments between half and one and a half target durations.
func (m *Media) Rates() Rates {
	var sizes []sized
	for _, s := range m.Segments {
		if !s.Gap {
			sizes = append(sizes, sized{s.Size, s.Duration})
		}
	}
	return measure(sizes, m.Target)
}

// IFrameRates measures the I-frame playlist the same way.
func (m *Media) IFrameRates() Rates {
	var sizes []sized
	for _, s := range m.Segments {
		for _, f := range s.IFrames {
			sizes = append(sizes, sized{f.Size, f.Duration})
		}
	}
	return measure(sizes, m.Target)
}

type sized struct {
	size     int64
	duration Micros
}

func measure(all []sized, target int) Rates {
	low, high := Micros(target)*500_000, Micros(target)*1_500_000
	var r Rates
	var size int64
	var length Micros
	for i, s := range all {
		size, length = size+s.size, length+s.duration
		var runSize int64
		var run Micros
		for _, t := range all[i:] {
			runSize, run = runSize+t.size, run+t.duration
			if run > high {
				break
			}
			if run >= low {
				r.Peak = max(r.Peak, perSecond(runSize, run))
			}
		}
	}
	r.Average = perSecond(size, length)
	r.Peak = max(r.Peak, r.Average) // shorter than half a target in all
	return r
}

// perSecond rounds up: a stated bandwidth is an upper bound.
func perSecond(size int64, d Micros) int64 {
	if d <= 0 {
		return 0
	}
	return (size*8*1e6 + int64(d) - 1) / int64(d)
}
