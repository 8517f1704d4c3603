// Command gala-worker is one crash-isolated media process. Agents start it;
// people use probe, decode and version to look at media as the farm sees it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/agent/ingest"
	"github.com/galafarm/gala/agent/worker"
	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/media/bucket"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/libav"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type cli struct {
	Run     runCmd     `cmd:"" help:"Run the assignment in a runtime directory (agents do this)."`
	Ingest  ingestCmd  `cmd:"" help:"Hold the live source of a runtime directory (agents do this)."`
	Probe   probeCmd   `cmd:"" help:"Say what a source holds and how the farm would take it."`
	Decode  decodeCmd  `cmd:"" help:"Decode and print a line a frame (gala verify does this)."`
	Gpu     gpuCmd     `cmd:"" help:"Open a GPU and encode on it: which encoders it has (agents do this)."`
	Version versionCmd `cmd:"" help:"Say which build and which FFmpeg this is."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	k := kong.Parse(&cli{}, kong.Name("gala-worker"), kong.Description("The media process of a Gala farm."), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	err := k.Run()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gala-worker:", err)
		os.Exit(1)
	}
}

type runCmd struct {
	Dir string `required:"" help:"Runtime directory with assignment.json."`
}

// logBound is the size at which a worker's log turns over.
const logBound = 4 << 20

// collectAt is by how many per cent Go's heap grows before it is collected. Almost
// all of it is segments on their way out, megabytes each, which the default would
// keep once more; there is little else to look through.
const collectAt = 30

func (c *runCmd) Run(ctx context.Context) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	out, err := worker.OpenLog(dir, logBound)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	libav.LogTo(log)
	debug.SetGCPercent(collectAt)
	w, err := worker.Load(dir, log)
	if err != nil {
		log.Error("cannot start", "err", err)
		return errors.Join(err, worker.Refuse(dir, err))
	}
	return w.Run(ctx)
}

type ingestCmd struct {
	Dir string `required:"" help:"Runtime directory with ingest.json."`
}

func (c *ingestCmd) Run(ctx context.Context) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	out, err := worker.OpenLog(dir, logBound)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	libav.LogTo(log)
	return ingest.Run(ctx, dir, log)
}

type probeCmd struct {
	JSON   bool     `help:"One line of JSON, errors included."`
	Allow  []string `help:"Sources that may be opened, as the farm's --allow-source; none given: any." placeholder:"PATTERN"`
	Live   bool     `help:"Look at a source that runs by itself, as a live job would."`
	Ingest string   `help:"Runtime directory of the ingest that holds the source." type:"path"`
	Input  string   `arg:"" help:"Path, http(s), srt, rtmp, udp or rtp URL, or testcard:."`
}

func (c *probeCmd) Run(ctx context.Context) error {
	libav.LogTo(slog.New(slog.DiscardHandler))
	rules := input.Rules{Patterns: c.Allow, Signer: &bucket.Signer{}}
	if len(c.Allow) == 0 {
		rules.Patterns = []string{"*"}
	}
	name := c.Input
	if _, err := os.Stat(name); err == nil {
		name, _ = filepath.Abs(name)
	}
	r := c.look(ctx, name, rules)
	text, err := protojson.MarshalOptions{Multiline: !c.JSON}.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	if r.GetError() != nil && !c.JSON {
		return errors.New(r.GetError().GetMessage())
	}
	return nil
}

// look at a live source through the ingest that holds it, or through one for
// this look alone.
func (c *probeCmd) look(ctx context.Context, name string, rules input.Rules) *galav1.ProbeResult {
	switch {
	case c.Ingest != "":
		return worker.ProbeIngest(ctx, name, ingest.Opener(c.Ingest))
	case c.Live:
		return worker.ProbeLive(ctx, name, rules)
	}
	return worker.Probe(ctx, name, rules)
}

type decodeCmd struct {
	Frames bool   `help:"A line for every frame, not only the summary."`
	File   string `arg:"" optional:"" help:"A source of any kind: its chosen video and first audio track. None: one CMAF track from standard input." type:"path"`
}

func (c *decodeCmd) Run(ctx context.Context) error {
	libav.LogTo(slog.New(slog.DiscardHandler))
	if c.File != "" {
		return libav.DecodeFile(ctx, c.File, os.Stdout, c.Frames)
	}
	return libav.DecodeStream(ctx, os.Stdin, os.Stdout, c.Frames)
}

type versionCmd struct {
	JSON bool `help:"As JSON."`
}

func (c *versionCmd) Run() error {
	b := libav.FFmpeg()
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(b)
	}
	fmt.Printf("gala-worker %s\nFFmpeg %s (%s)\nencoders %v\n", version.String(), b.Version, b.License, b.Encoders)
	return nil
}
