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

	"github.com/alecthomas/kong"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/benchmarks/vod"
)

type cli struct {
	Build   string `help:"Folder with the farm's binaries." default:"build" type:"path"`
	Results string `help:"Where records and reports go." default:"benchmarks/results" type:"path"`

	Vod    vodCmd    `cmd:"" help:"One worker against one ffmpeg process."`
	Report reportCmd `cmd:"" help:"Make every report from its record again."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c cli
	call := kong.Parse(&c, kong.Name("benchmarks"), kong.Description("Measures Gala."), kong.UsageOnError(),
		kong.Vars{"clip": clip}, kong.Bind(&c), kong.BindTo(ctx, (*context.Context)(nil)))
	if err := call.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// clip is the set's long clip, where the set is at hand.
const clip = "../shared/media/open/long_mix_720p25_h264_aac.mp4"

type vodCmd struct {
	Clip   string   `help:"What to encode." default:"${clip}" type:"path"`
	Ladder []string `help:"Ladders, one record each." default:"mini,hd"`
	Pairs  int      `help:"Runs of each side." default:"11"`
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

func (v *vodCmd) one(ctx context.Context, c *cli, bin harness.Binaries, ladder string) error {
	dir, err := os.MkdirTemp("", "gala-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := vod.Run(ctx, vod.Options{
		Clip: v.Clip, Ladder: ladder, Pairs: v.Pairs, Binaries: bin, Dir: dir, Log: os.Stderr, Command: again(),
	})
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

// again is how this was called.
func again() string {
	return strings.Join(append([]string{". tools/setup/env.sh && make build && go run ./benchmarks"}, os.Args[1:]...), " ")
}

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
