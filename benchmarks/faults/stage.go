package faults

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/rehearsal"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// card and ladder are small: lanes share a machine, and what a fault costs hangs on
// processes, leases and segments, not on pixels.
const (
	card   = "testcard:?size=320x180"
	ladder = `name: light
segment: {live: 2s, vod: 6s}
video:
  - {name: 180p, height: 180, codec: h264, bitrate: 200k, preset: fastest}
  - {name: 120p, height: 120, codec: h264, bitrate: 120k, preset: fastest}
audio:
  - {name: stereo, codec: aac, channels: 2, bitrate: 96k, languages: all}
`
)

// groups are where sources are sent to.
var groups = []string{"239.213.0.1:5000", "239.213.0.2:5002"}

// set a stage up: where a rehearsal happens and with what job. stop takes it down.
func (b *bench) set(ctx context.Context, stage Stage, dir string) (o rehearsal.Options, stop func() error, err error) {
	o.Own, o.OwnOrigin, o.Card = &galav1.JobSpec{Ladder: "light.yaml", LadderYaml: ladder}, true, card
	switch stage {
	case Hosts:
		return b.spread(ctx, o, dir, groups[:1], "one", "two")
	case Inputs:
		return b.spread(ctx, o, dir, groups, "one")
	case Replicas:
		o.Own.Input, o.Own.Redundancy = card, 2
		return b.spread(ctx, o, dir, nil, "one", "two")
	}
	f, err := farm.Start(ctx, b.Binaries.Gala, dir)
	if err != nil {
		return o, nil, err
	}
	o.Client, o.Address, o.Restart = f.Client, f.Address, func() error { return f.Restart(ctx) }
	return o, f.Stop, nil
}

// spread is a farm over hosts, with inputs that are sent by us.
func (b *bench) spread(ctx context.Context, o rehearsal.Options, dir string, inputs []string, hosts ...string) (rehearsal.Options, func() error, error) {
	s, err := farm.StartSpread(ctx, b.Binaries.Gala, dir, hosts...)
	if err != nil {
		return o, nil, err
	}
	o.Client, o.Address, o.Host, o.Restart = s.Client, s.Address, s.Host, func() error { return s.Restart(ctx) }
	stop := s.Stop
	var clip string
	if len(inputs) > 0 {
		if clip, err = b.clip(ctx, dir); err != nil {
			return o, nil, errors.Join(err, stop())
		}
	}
	for i, group := range inputs {
		end, err := b.send(ctx, clip, group, s.Host)
		if err != nil {
			return o, nil, errors.Join(err, stop())
		}
		before := stop
		stop = func() error { end(); return before() }
		if i == 0 {
			o.Own.Input = "udp://@" + group
		} else {
			o.Own.Backups = append(o.Own.Backups, "udp://@"+group)
		}
	}
	return o, stop, nil
}

var quiet = []string{"-hide_banner", "-nostdin", "-loglevel", "error"}

// clip of a minute, for a loop.
func (b *bench) clip(ctx context.Context, dir string) (string, error) {
	name := filepath.Join(dir, "clip.ts")
	cmd := exec.CommandContext(ctx, b.Binaries.FFmpeg, append(slices.Clone(quiet), "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=60", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=60",
		"-c:v", "libx264", "-preset", "veryfast", "-b:v", "500k", "-g", "25", "-c:a", "aac", name)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the source: %w: %s", err, said)
	}
	return name, nil
}

// send a clip to a group in a loop, until end is called.
func (b *bench) send(ctx context.Context, clip, group, from string) (end func(), err error) {
	sending, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(sending, b.Binaries.FFmpeg, append(slices.Clone(quiet), "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "mpegts", "udp://"+group+"?pkt_size=1316&ttl=2&localaddr="+from)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		stop()
		return nil, fmt.Errorf("send the source: %w", err)
	}
	return func() { stop(); _ = cmd.Wait() }, nil // it is killed
}
