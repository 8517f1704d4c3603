// Benchmarks measures Gala against its peers and its bars, and writes what it
// found to benchmarks/results. `go run ./benchmarks --help` from the top of
// the checkout, with tools/setup/env.sh sourced.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/benchmarks/scale"
	"github.com/galafarm/gala/benchmarks/start"
	"github.com/galafarm/gala/benchmarks/vod"
)

type cli struct {
	Build   string `help:"Folder with the farm's binaries." default:"build" type:"path"`
	Results string `help:"Where records and reports go." default:"benchmarks/results" type:"path"`

	Vod     vodCmd     `cmd:"" help:"One worker against one ffmpeg process."`
	Start   startCmd   `cmd:"" help:"Submit to first segment, live."`
	Scale   scaleCmd   `cmd:"" help:"Scalers: what they keep and what they cost."`
	Cascade cascadeCmd `cmd:"" help:"Small rungs scaled from larger ones: what it loses and saves."`
	Ingest  ingestCmd  `cmd:"" help:"What one live source costs."`
	Faults  faultsCmd  `cmd:"" help:"What faults cost the viewers of a live job."`
	Soak    soakCmd    `cmd:"" help:"What a long time with faults leaves behind."`
	Short   shortCmd   `cmd:"" default:"1" help:"A short form of all, beside the committed records (the default)."`
	Report  reportCmd  `cmd:"" help:"Make every report from its record again."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c cli
	call := kong.Parse(&c, kong.Name("benchmarks"), kong.Description("Measures Gala."), kong.UsageOnError(),
		kong.Bind(&c), kong.BindTo(ctx, (*context.Context)(nil)))
	if err := call.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

type vodCmd struct {
	Clip   string   `help:"What to encode; default: 30 s of 720p25 from the media set, or made; for hd 6 s of textured 1080p25, made." type:"path"`
	Ladder []string `help:"Ladders, one record each." default:"mini,hd"`
	Pairs  int      `help:"Runs of each side." default:"11"`
	Farm   int      `help:"Runs of the whole farm and its peer." default:"5"`
	Rounds int      `help:"Runs of separate processes and of the parts alone." default:"5"`
	Starts int      `help:"Runs of a clip of five frames." default:"11"`
}

func (v *vodCmd) Run(ctx context.Context, c *cli) error {
	bin, err := harness.FindBinaries(c.Build)
	if err != nil {
		return err
	}
	for _, ladder := range v.Ladder {
		if err := v.one(ctx, c, bin, ladder); err != nil {
			return err
		}
	}
	return nil
}

// begin finds the built programs and makes a directory that done removes.
func (c *cli) begin() (bin harness.Binaries, dir string, done func(), err error) {
	if bin, err = harness.FindBinaries(c.Build); err != nil {
		return bin, "", nil, err
	}
	dir, err = os.MkdirTemp("", "gala-bench-")
	return bin, dir, func() { os.RemoveAll(dir) }, err
}

func (v *vodCmd) one(ctx context.Context, c *cli, bin harness.Binaries, ladder string) error {
	dir, err := os.MkdirTemp("", "gala-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clip, err := findClip(ctx, v.Clip, ladder, bin.FFmpeg, dir)
	if err != nil {
		return err
	}
	r, err := vod.Run(ctx, vod.Options{
		Clip: clip, Ladder: ladder, Pairs: v.Pairs, FarmPairs: v.Farm, Rounds: v.Rounds, Starts: v.Starts, Binaries: bin, Dir: dir, Log: os.Stderr, Command: again(),
	})
	if err != nil {
		return err
	}
	return c.keep(r)
}

type startCmd struct {
	Ladder string        `help:"Ladder of the jobs." default:"mini"`
	Runs   int           `help:"Jobs, those of an interrupted call among them." default:"200"`
	Steady time.Duration `help:"How long one job is left alone." default:"60s"`
	Ledger string        `help:"Where finished runs are kept until the record is written; default BUILD/start-LADDER.runs." type:"path"`
}

func (s *startCmd) Run(ctx context.Context, c *cli) error {
	bin, dir, done, err := c.begin()
	if err != nil {
		return err
	}
	defer done()
	ledger := s.Ledger
	if ledger == "" {
		ledger = filepath.Join(c.Build, "start-"+s.Ladder+".runs")
	}
	r, err := start.Measure(ctx, start.Options{
		Ladder: s.Ladder, Runs: s.Runs, Steady: s.Steady, Binaries: bin, Dir: dir, Ledger: ledger, Log: os.Stderr, Command: again(),
	})
	if err != nil {
		return err
	}
	if err := c.keep(r); err != nil {
		return err
	}
	return os.Remove(ledger)
}

type scaleCmd struct {
	Clip   []string `help:"1080p clips; default: two of the media set." type:"path"`
	Frames int      `help:"Pictures of each." default:"50"`
	Runs   int      `help:"Runs of each scaler." default:"5"`
}

func (s *scaleCmd) Run(ctx context.Context, c *cli) error {
	bin, dir, done, err := c.begin()
	if err != nil {
		return err
	}
	defer done()
	if len(s.Clip) == 0 {
		if s.Clip, err = clipsOfSet("wave_croatia_1080p25_qr.mp4", "game_1080p60_missing_dts.ts"); err != nil {
			return err
		}
	}
	r, err := scale.Measure(ctx, scale.Options{Clips: s.Clip, Frames: s.Frames, Runs: s.Runs, Binaries: bin, Dir: dir, Log: os.Stderr, Command: again()})
	if err != nil {
		return err
	}
	return c.keep(r)
}

func (c *cli) keep(r harness.Record) error {
	if err := r.Write(c.Results); err != nil {
		return err
	}
	_, err := os.Stdout.Write(r.Markdown())
	return err
}

// again is how to call this once more.
func again() string { return fmt.Sprintf("make bench ARGS='%s'", strings.Join(os.Args[1:], " ")) }

type reportCmd struct{}

func (r *reportCmd) Run(c *cli) error {
	names, err := filepath.Glob(filepath.Join(c.Results, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range names {
		rec, err := harness.Read(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(strings.TrimSuffix(name, ".json")+".md", rec.Markdown(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
