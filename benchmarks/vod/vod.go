package vod

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/galafarm/gala/benchmarks/harness"
)

// Options of the benchmark.
type Options struct {
	Clip, Ladder string
	Pairs        int
	// FarmPairs are runs through the whole farm, Rounds those of separate
	// processes and of the parts, Starts those of a clip of five frames; 0
	// leaves them out.
	FarmPairs, Rounds, Starts int
	Binaries                  harness.Binaries
	// Dir is for what is encoded; everything in it may go.
	Dir string
	// Command is how to repeat it.
	Command string
	Log     io.Writer
}

// equal is how far apart two qualities may lie and count as equal (DESIGN §12).
const equal = 0.05 // dB of XPSNR

// raw is what the figures are made from.
type raw struct {
	Worker []harness.Pair `json:"worker"`
	Farm   []harness.Pair `json:"farm,omitempty"`
	Rounds []Round        `json:"rounds,omitempty"`
	Starts []harness.Pair `json:"starts,omitempty"`
	Ours   []Picture      `json:"pictures_worker"`
	Peer   []Picture      `json:"pictures_ffmpeg"`
}

// Run measures the worker, and the farm around it, against their peer.
func Run(ctx context.Context, o Options) (harness.Record, error) {
	b := &bench{Options: o, around: harness.Begin()}
	if err := b.prepare(ctx); err != nil {
		return harness.Record{}, err
	}
	var err error
	if b.raw.Worker, err = harness.Interleave(ctx, o.Pairs, b.worker, b.peer, func(i int, p harness.Pair) { b.tell("worker", o.Pairs, i, p) }); err != nil {
		return harness.Record{}, err
	}
	if err := b.compare(ctx); err != nil {
		return harness.Record{}, err
	}
	for _, part := range []struct {
		times int
		run   func(context.Context) error
	}{{o.FarmPairs, b.farmRuns}, {o.Rounds, b.rounds}, {o.Starts, b.starts}} {
		if part.times == 0 {
			continue
		}
		if err := part.run(ctx); err != nil {
			return harness.Record{}, err
		}
	}
	return b.record(), nil
}

type bench struct {
	Options
	around   *harness.Around
	versions harness.Versions
	plan     *plan
	hash     string
	raw      raw
}

func (b *bench) prepare(ctx context.Context) (err error) {
	if b.Dir, err = filepath.Abs(b.Dir); err != nil {
		return err
	}
	if b.versions, err = b.Binaries.Read(ctx); err != nil {
		return err
	}
	if b.hash, err = harness.HashFile(b.Clip); err != nil {
		return err
	}
	b.plan, err = newPlan(ctx, b.Binaries, b.Clip, b.Ladder)
	return err
}

func (b *bench) tell(what string, of, i int, p harness.Pair) {
	fmt.Fprintf(b.Log, "vod %s: %s, pair %d of %d: wall %.2f s / %.2f s, CPU %.2f s / %.2f s\n", b.Ladder, what, i+1, of, p.A.Wall, p.B.Wall, p.A.CPU(), p.B.CPU())
}

// fresh is an empty folder: both sides write into one.
func (b *bench) fresh(name string) (string, error) {
	dir := filepath.Join(b.Dir, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// starts measures a clip of five frames: what it costs to begin and to end.
func (b *bench) starts(ctx context.Context) (err error) {
	whole := b.plan
	defer func() { b.plan = whole }()
	brief := filepath.Join(b.Dir, "brief.mp4")
	if _, err := run(ctx, b.Binaries.FFmpeg, "-y", "-i", b.plan.clip, "-frames:v", "5", "-t", "0.2", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", brief); err != nil {
		return err
	}
	if b.plan, err = newPlan(ctx, b.Binaries, brief, b.Ladder); err != nil {
		return err
	}
	b.raw.Starts, err = harness.Interleave(ctx, b.Starts, b.worker, b.peer, func(i int, p harness.Pair) { b.tell("five frames", b.Starts, i, p) })
	return err
}

func (b *bench) worker(ctx context.Context) (harness.Usage, error) {
	dir, err := b.fresh("worker")
	if err != nil {
		return harness.Usage{}, err
	}
	run := filepath.Join(dir, "run")
	if err := b.plan.assign(run, filepath.Join(dir, "out")); err != nil {
		return harness.Usage{}, err
	}
	u, err := harness.Measure(ctx, harness.Command{Path: b.Binaries.Worker, Args: []string{"run", "--dir", run}})
	if err != nil {
		return u, err
	}
	return u, outcome(run)
}

func (b *bench) peer(ctx context.Context) (harness.Usage, error) {
	dir, err := b.fresh("ffmpeg")
	if err != nil {
		return harness.Usage{}, err
	}
	args, err := b.plan.peerArgs(filepath.Join(dir, "out"))
	if err != nil {
		return harness.Usage{}, err
	}
	// Its muxer makes one level of folders only.
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		return harness.Usage{}, err
	}
	return harness.Measure(ctx, harness.Command{Path: b.Binaries.FFmpeg, Args: args})
}

// compare looks at what the last pair left.
func (b *bench) compare(ctx context.Context) error {
	for _, r := range b.plan.video() {
		ours, err := b.plan.look(ctx, b.Binaries.FFmpeg, filepath.Join(b.Dir, "worker", "out"), r)
		if err != nil {
			return fmt.Errorf("look at the worker's %s: %w", r.Name, err)
		}
		peer, err := b.plan.look(ctx, b.Binaries.FFmpeg, filepath.Join(b.Dir, "ffmpeg", "out"), r)
		if err != nil {
			return fmt.Errorf("look at ffmpeg's %s: %w", r.Name, err)
		}
		b.raw.Ours, b.raw.Peer = append(b.raw.Ours, ours), append(b.raw.Peer, peer)
		if ours.Frames != peer.Frames || ours.XPSNR < peer.XPSNR-equal || peer.XPSNR < ours.XPSNR-equal {
			return fmt.Errorf("%s is not equal: %d frames at %.3f dB against %d at %.3f dB", r.Name, ours.Frames, ours.XPSNR, peer.Frames, peer.XPSNR)
		}
	}
	return nil
}

// describe is the ladder in one line.
func (b *bench) describe() string {
	var s []string
	for _, r := range b.plan.video() {
		s = append(s, fmt.Sprintf("%dx%d %s %d kbit/s", r.Video.Width, r.Video.Height, r.Video.Preset, r.Video.Bitrate/1000))
	}
	for _, r := range b.plan.audio() {
		s = append(s, fmt.Sprintf("%s %d kbit/s", r.Audio.Codec, r.Audio.Bitrate/1000))
	}
	return strings.Join(s, ", ")
}

func (b *bench) threads() string {
	var s []string
	for _, r := range b.plan.video() {
		args, _ := b.plan.encode(0, *r.Video)
		s = append(s, r.Name+" "+args[3])
	}
	return strings.Join(s, ", ")
}

func (b *bench) settings() []harness.Setting {
	clip := fmt.Sprintf("%s, %.2f s, sha256 %s", filepath.Base(b.Clip), float64(b.plan.source.GetDurationUs())/1e6, b.hash)
	args, _ := b.plan.peerArgs("OUT")
	for i, a := range args {
		if a == b.plan.clip {
			a = "CLIP"
		}
		if args[i] = a; strings.ContainsAny(a, " ;()[]*\\") {
			args[i] = strconv.Quote(a)
		}
	}
	return []harness.Setting{
		{Key: "clip", Value: clip}, {Key: "ladder", Value: b.Ladder + ": " + b.describe()},
		{Key: "encoder threads", Value: b.threads()},
		{Key: "segments", Value: every(b.plan.Grid, b.plan.Grid.FramesPerSegment()) + " s of " + strconv.FormatInt(b.plan.Grid.GOPsPerSegment, 10) + " GOPs"},
		{Key: "worker", Value: "gala-worker run --dir DIR (assignment.json, file:// output)"},
		{Key: "ffmpeg", Value: "ffmpeg " + strings.Join(args, " ")},
	}
}
