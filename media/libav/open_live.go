package libav

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/pull"
	"github.com/galafarm/gala/media/ring"
)

// wallClock is what a source says of the time, once it has said something.
type wallClock func() (ring.Wall, bool)

// analysis of a live source: long enough to meet a key frame of every track,
// short enough that the first segment is not late.
const liveAnalysisUS, liveProbeBytes = "2500000", "8000000"

// openLive connects to a live source: one demuxer for each of its parts. Every
// error is a *media.Error.
func openLive(ctx context.Context, name string, rules input.Rules) ([]*demuxer, wallClock, error) {
	switch {
	case strings.HasPrefix(name, "srt:"), strings.HasPrefix(name, "rtmp:"):
		d, err := openNative(ctx, name, rules)
		return []*demuxer{d}, nil, err
	case strings.HasPrefix(name, "udp:"), strings.HasPrefix(name, "rtp:"):
		r, err := input.OpenDatagrams(ctx, name, rules)
		if err != nil {
			return nil, nil, err
		}
		d, err := openLiveReader(ctx, name, r, "mpegts")
		return []*demuxer{d}, nil, err
	}
	return openPull(ctx, name, rules)
}

// openPull follows a playlist or a manifest: the picture, and sound that is apart.
func openPull(ctx context.Context, name string, rules input.Rules) ([]*demuxer, wallClock, error) {
	parts, err := pull.Open(ctx, name, rules)
	if err != nil {
		return nil, nil, err
	}
	var all []*demuxer
	for i, p := range parts {
		d, err := openLiveReader(ctx, name, p, "")
		if err != nil {
			for _, d := range all {
				d.Close()
			}
			for _, p := range parts[i+1:] {
				_ = p.Close()
			}
			return nil, nil, err
		}
		all = append(all, d)
	}
	wall := func() (ring.Wall, bool) {
		if zero, ok := parts[0].Zero(); ok {
			return ring.Wall{Time: zero.UnixMicro()}, true
		}
		at, ok := parts[0].Began()
		start := all[0].fc.StartTime()
		return ring.Wall{At: start, Time: at.UnixMicro()}, ok && start != noPTS
	}
	return all, wall, nil
}

// openLiveReader demuxes what r gives, as the named format or whatever it is.
// It owns r.
func openLiveReader(ctx context.Context, name string, r input.Reader, format string) (*demuxer, error) {
	d := &demuxer{name: input.Display(name), reader: r, live: true, format: format}
	if err := d.open(ctx); err != nil {
		d.Close()
		return nil, retryable(err)
	}
	return d, nil
}

// retryable: a live source that cannot be read now may be in a moment.
func retryable(err error) error {
	me, ok := errors.AsType[*media.Error](err)
	if !ok {
		return err
	}
	c := *me
	c.Retryable, c.Advice = true, "check that the source is on air and what it sends"
	return &c
}

// openNative connects by one of libavformat's own protocols, which may open
// nothing but the checked address.
func openNative(ctx context.Context, name string, rules input.Rules) (*demuxer, error) {
	n, err := input.OpenNative(ctx, name, rules)
	if err != nil {
		return nil, err
	}
	opts := astiav.NewDictionary()
	defer opts.Free()
	_ = opts.Set("protocol_whitelist", n.Protocols, 0)
	for k, v := range n.Options {
		_ = opts.Set(k, v, 0)
	}
	d := &demuxer{name: n.Name, live: true, interrupt: astiav.NewIOInterrupter()}
	d.release = whenEnded(ctx, d.interrupt.Interrupt)
	if d.io, err = astiav.OpenIOContext(n.URL, astiav.NewIOContextFlags(astiav.IOContextFlagRead), d.interrupt, opts); err != nil {
		d.Close()
		return nil, &media.Error{Code: media.SourceError, Message: fmt.Sprintf("connect to source %s", n.Name), Err: err, Retryable: true,
			Advice: "check that the source is on air, its address, and its passphrase or stream name"}
	}
	d.began = time.Now()
	if err := d.open(ctx); err != nil {
		d.Close()
		return nil, retryable(err)
	}
	return d, nil
}

// whenEnded calls f when ctx ends; release returns when it never will again.
func whenEnded(ctx context.Context, f func()) (release func()) {
	called := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { f(); close(called) })
	return func() {
		if !stop() {
			<-called
		}
	}
}
