package captions

import (
	"math"

	"github.com/galafarm/gala/timeline"
)

// maxCount is what the five bits of cc_count hold.
const maxCount = 31

// Dealer collects what the pictures of a source carry and deals it to frames of
// a fixed rate. A picture that is shown twice gives its captions once, a picture
// that is not shown leaves them to the next one.
type Dealer struct {
	rate    timeline.Rate
	lines   queue // byte pairs of line 21
	packets queue // of DTVCC
}

// NewDealer deals to frames at this rate.
func NewDealer(rate timeline.Rate) *Dealer { return &Dealer{rate: rate} }

// queue holds triplets in the order they came.
type queue []due

type due struct {
	at int64
	t  Triplet
}

// Put takes what the picture at time at carries.
func (d *Dealer) Put(at int64, ts []Triplet) {
	for _, t := range ts {
		switch {
		case !t.valid():
		case t.line():
			d.lines = append(d.lines, due{at, t})
		default:
			d.packets = append(d.packets, due{at, t})
		}
	}
}

// Retime puts what waits on another clock: to gives its times.
func (d *Dealer) Retime(to func(at int64) int64) {
	for _, q := range []queue{d.lines, d.packets} {
		for i := range q {
			q[i].at = to(q[i].at)
		}
	}
}

// Drop forgets what pictures up to at carry: they lie before the first frame.
func (d *Dealer) Drop(at int64) {
	d.lines, d.packets = d.lines[d.lines.ready(at):], d.packets[d.packets.ready(at):]
}

// Take is what the next frame carries, when it shows the picture at time at.
func (d *Dealer) Take(at int64) []Triplet {
	count, pairs := share(d.rate)
	late := backlog(d.rate, pairs)
	if d.lines.ready(at) > late {
		d.lines = d.lines.squeeze(at)
	}
	if d.lines.ready(at) > late {
		pairs = maxCount
	}
	if d.packets.ready(at) > backlog(d.rate, count) {
		count = maxCount
	}
	out := d.lines.take(at, pairs, nil)
	return d.packets.take(at, max(count, len(out))-len(out), out)
}

// Rest is what no frame has carried when the source is over: for the last one,
// as far as there is room beside the triplets that it was dealt.
func (d *Dealer) Rest(dealt int) []Triplet {
	out := d.lines.take(math.MaxInt64, maxCount-dealt, nil)
	return d.packets.take(math.MaxInt64, maxCount-dealt-len(out), out)
}

// share is the cc_count of a frame and the byte pairs of line 21 among it
// (CTA-708 §4.3.6: 600 triplets a second; line 21 has 59.94 fields).
func share(rate timeline.Rate) (count, pairs int) {
	n := int(min(maxCount, (600*rate.Den*2+rate.Num)/(2*rate.Num)))
	return max(n, 1), int(min(maxCount, (60_000*rate.Den+1001*rate.Num-1)/(1001*rate.Num)))
}

// backlog is what may wait while each frame takes its share: half a second's.
func backlog(rate timeline.Rate, perFrame int) int {
	return perFrame * int(max(1, rate.Num/rate.Den/2))
}

// ready is how many are due at time at.
func (q queue) ready(at int64) int {
	n := 0
	for n < len(q) && q[n].at <= at {
		n++
	}
	return n
}

// squeeze drops the pairs due that say nothing.
func (q queue) squeeze(at int64) queue {
	out := q[:0]
	for _, d := range q {
		if d.at > at || !d.t.empty() {
			out = append(out, d)
		}
	}
	return out
}

// take moves up to n of what is due to out.
func (q *queue) take(at int64, n int, out []Triplet) []Triplet {
	n = min(n, q.ready(at))
	for _, d := range (*q)[:n] {
		out = append(out, d.t)
	}
	*q = (*q)[n:]
	return out
}
