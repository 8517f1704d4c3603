package packager

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
)

const masterName = "master.m3u8"

// output is one sink, its multivariant playlist and its DASH manifest.
type output struct {
	p     *Packager
	name  string
	index int // in Spec.Outputs
	sink  media.Sink
	// health is of a live job's output.
	health health
	whole  atomic.Bool // it has taken everything, and the takers have left
	// mu keeps the takers from writing these at the same time.
	mu   sync.Mutex
	done bool // the multivariant playlist is there
	// stale: the playlist lacks something that came up since.
	stale atomic.Bool

	union *union // nil for a job's only run

	turns    int // those that the manifest there tells
	recalled bool
	history  *dash.History
}

// listed is called by takers after each playlist: the one that completes the
// set writes the multivariant playlist, and the manifest when it must say
// something new. What fails is tried again with the next segment.
func (o *output) listed(ctx context.Context) {
	if !o.p.spec.WritesManifest {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stale.Swap(false) {
		o.done, o.turns = false, -1
	}
	if !o.complete() {
		return
	}
	ctx, cancel := o.p.bounded(ctx)
	defer cancel()
	if !o.done {
		err := o.putMaster(ctx, false)
		o.complain("multivariant playlist", err)
		o.done = err == nil
	}
	o.complain("manifest", o.refreshManifest(ctx))
	o.union.ring()
}

func (o *output) complain(what string, err error) {
	if err != nil {
		o.fails(nil, -1, fmt.Errorf("%s: %w", what, err))
	}
}

// complete tells whether every rendition has a playlist here.
func (o *output) complete() bool {
	return !slices.ContainsFunc(o.p.order, func(t *track) bool { return !t.takerOf(o).ready() && !t.takerOf(o).rests() })
}

func (t *track) takerOf(o *output) *taker { return t.takers[o.index] }

func (o *output) putMaster(ctx context.Context, measured bool) error {
	return o.sink.Put(ctx, masterName, o.master(measured).Encode())
}

// master lists every rendition that has a segment here: with the declared
// rates, or at a clip's end with what was measured.
func (o *output) master(measured bool) hls.Master {
	var present []ladders.Rendition
	for _, t := range o.p.order {
		if r, ok := t.takerOf(o).described(measured); ok && !t.takerOf(o).rests() {
			present = append(present, r)
		}
	}
	return o.p.master(present, func(r *ladders.Rendition) hls.Rates {
		if k := o.p.tracks[r.Name].takerOf(o); measured {
			return k.iframeRates()
		}
		// An upper bound: an I-frame is part of a segment.
		return hls.Rates{Peak: r.Bandwidth, Average: r.AverageBandwidth}
	})
}

func (k *taker) rests() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.resting
}

// described is the rendition as it came out; ok is false while it has no segment.
func (k *taker) described(measured bool) (r ladders.Rendition, ok bool) {
	r = k.t.rendition
	if r.Video != nil {
		r.Video = k.t.p.captioned(*r.Video)
	}
	if opened := k.t.opened.Load(); opened != nil {
		r.Codecs = opened.init.Codecs
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if measured {
		rates := k.list.Rates()
		r.Bandwidth, r.AverageBandwidth = rates.Peak, rates.Average
	}
	return r, len(k.list.Segments) > 0
}

func (k *taker) iframeRates() hls.Rates {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.list.IFrameRates()
}
