package vod

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/ladders"
)

// Round is one run of each way to make the ladder and of each of its parts, one
// right after the other.
type Round struct {
	Worker harness.Usage `json:"worker"`
	// Separate are ffmpeg processes of one video rendition each, all at once,
	// the sound with the first: what people do without a farm.
	Separate []harness.Usage `json:"separate"`
	// Encoders alone: the same encoders on pictures that lie scaled on disk.
	Encoders harness.Usage `json:"encoders"`
	// Decode and DecodeScale throw their pictures away.
	Decode      harness.Usage `json:"decode"`
	DecodeScale harness.Usage `json:"decode_scale"`
}

// separate is the CPU of all processes.
func (r Round) separate() float64 {
	sum := 0.0
	for _, u := range r.Separate {
		sum += u.CPU()
	}
	return sum
}

// saved is by how much the separate processes are dearer than the worker.
func (r Round) saved() float64 { return r.separate() / r.Worker.CPU() }

// allowed is what sharing one decode can save at most, by Amdahl: (N·D+S+E)/(D+S+E).
func (r Round) allowed() float64 {
	d, s, e := r.Decode.CPU(), r.DecodeScale.CPU()-r.Decode.CPU(), r.Encoders.CPU()
	return (float64(len(r.Separate))*d + s + e) / (d + s + e)
}

// rounds measures the parts; the order is turned from round to round.
func (b *bench) rounds(ctx context.Context) error {
	if err := b.rawPictures(ctx); err != nil {
		return err
	}
	for i := range b.Rounds {
		var r Round
		steps := []func() error{
			func() (err error) { r.Worker, err = b.worker(ctx); return err },
			func() (err error) { r.Separate, err = b.separate(ctx); return err },
			func() (err error) { r.Encoders, err = b.encoders(ctx); return err },
			func() (err error) { r.Decode, err = b.measure(ctx, b.plan.decodeArgs()); return err },
			func() (err error) { r.DecodeScale, err = b.measure(ctx, b.plan.scaleArgs()); return err },
		}
		for k := range steps {
			if err := steps[(i+k)%len(steps)](); err != nil {
				return fmt.Errorf("round %d of %d: %w", i+1, b.Rounds, err)
			}
		}
		b.raw.Rounds = append(b.raw.Rounds, r)
		fmt.Fprintf(b.Log, "vod %s: round %d of %d: CPU worker %.2f s, separate %.2f s, encoders alone %.2f s; %.3f of what sharing the decode allows\n",
			b.Ladder, i+1, b.Rounds, r.Worker.CPU(), r.separate(), r.Encoders.CPU(), r.saved()/r.allowed())
	}
	return os.RemoveAll(filepath.Join(b.Dir, "raw"))
}

func (b *bench) measure(ctx context.Context, args []string) (harness.Usage, error) {
	return harness.Measure(ctx, harness.Command{Path: b.Binaries.FFmpeg, Args: args})
}

// separate runs all processes at once, as the worker's encoders run: two threads
// on one core cost more CPU than one after the other.
func (b *bench) separate(ctx context.Context) ([]harness.Usage, error) {
	dir, err := b.fresh("separate")
	if err != nil {
		return nil, err
	}
	used := make([]harness.Usage, len(b.plan.video()))
	g, ctx := errgroup.WithContext(ctx)
	for i := range used {
		out := filepath.Join(dir, strconv.Itoa(i))
		args, err := b.plan.separateArgs(i, out)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(out, 0o755); err != nil {
			return nil, err
		}
		g.Go(func() (err error) { used[i], err = b.measure(ctx, args); return err })
	}
	return used, g.Wait()
}

func (b *bench) encoders(ctx context.Context) (harness.Usage, error) {
	dir, err := b.fresh("encoders")
	if err != nil {
		return harness.Usage{}, err
	}
	args, err := b.plan.encoderArgs(filepath.Join(b.Dir, "raw"), dir)
	if err != nil {
		return harness.Usage{}, err
	}
	return b.measure(ctx, args)
}

// rawPictures are written once, one file for each size and rate, and the sound.
func (b *bench) rawPictures(ctx context.Context) error {
	dir, err := b.fresh("raw")
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, r := range b.plan.video() {
		name := rawName(*r.Video)
		if done[name] {
			continue
		}
		done[name] = true
		if _, err := run(ctx, b.Binaries.FFmpeg, "-i", b.plan.clip, "-map", "0:v:0", "-vf", b.plan.thin(r.Video.Divisor)+steps(*r.Video),
			"-fps_mode", "passthrough", "-f", "rawvideo", filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for i, r := range b.plan.audio() {
		if _, err := run(ctx, b.Binaries.FFmpeg, "-i", b.plan.clip, "-map", fmt.Sprintf("0:a:%d", r.Audio.Track), "-c:a", "pcm_s16le",
			"-ac", strconv.Itoa(r.Audio.Channels), "-ar", strconv.Itoa(r.Audio.SampleRate), filepath.Join(dir, soundName(i))); err != nil {
			return err
		}
	}
	return nil
}

func rawName(v ladders.Video) string {
	return fmt.Sprintf("%dx%d-%s-of-%s-%d.yuv", v.Width, v.Height, v.Scaler, v.ScaledFrom, v.Divisor)
}

func soundName(i int) string { return fmt.Sprintf("sound-%d.wav", i) }

var quiet = []string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y"}

func (p *plan) decodeArgs() []string {
	return append(quiet[:len(quiet):len(quiet)], "-i", p.clip, "-map", "0:v:0", "-f", "null", "-")
}

// scaleArgs gives every rung its pictures, and drops them.
func (p *plan) scaleArgs() []string {
	args := append(quiet[:len(quiet):len(quiet)], "-i", p.clip, "-filter_complex", p.graph(p.video()))
	for i := range p.video() {
		args = append(args, "-map", fmt.Sprintf("[v%d]", i))
	}
	return append(args, "-f", "null", "-")
}

// separateArgs is one process of its own for the i-th video rendition.
func (p *plan) separateArgs(i int, out string) ([]string, error) {
	audio := p.audio()
	if i > 0 {
		audio = nil
	}
	return p.ffmpegArgs(p.video()[i:i+1], audio, out)
}

// encoderArgs encodes what lies in raw.
func (p *plan) encoderArgs(raw, out string) ([]string, error) {
	args := quiet[:len(quiet):len(quiet)]
	var outputs []string
	video, audio := p.video(), p.audio()
	for i, r := range video {
		rate := fmt.Sprintf("%d/%d", p.Grid.Rate.Num, p.Grid.Rate.Den*r.Video.Divisor)
		args = append(args, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", fmt.Sprintf("%dx%d", r.Video.Width, r.Video.Height),
			"-framerate", rate, "-i", filepath.Join(raw, rawName(*r.Video)))
		o, err := p.encode(i, *r.Video)
		if err != nil {
			return nil, err
		}
		outputs = append(append(outputs, "-map", fmt.Sprintf("%d:v", i)), o...)
	}
	for i, r := range audio {
		args = append(args, "-i", filepath.Join(raw, soundName(i)))
		outputs = append(append(outputs, "-map", fmt.Sprintf("%d:a", len(video)+i)), sound(i, *r.Audio)...)
	}
	return append(append(args, outputs...), p.packageArgs(video, audio, out)...), nil
}
