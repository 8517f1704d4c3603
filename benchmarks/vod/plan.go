package vod

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
	"google.golang.org/protobuf/encoding/protojson"
)

// plan is one ladder applied to one clip: what both sides have to do.
type plan struct {
	clip   string // absolute
	ladder string
	source *galav1.SourceInfo
	*ladders.Resolved
}

func newPlan(ctx context.Context, bin harness.Binaries, clip, ladder string) (*plan, error) {
	clip, err := filepath.Abs(clip)
	if err != nil {
		return nil, err
	}
	info, err := probe(ctx, bin.Worker, clip)
	if err != nil {
		return nil, err
	}
	l, err := ladders.Load(ladder)
	if err != nil {
		return nil, err
	}
	source, err := wire.Source(info)
	if err != nil {
		return nil, err
	}
	resolved, err := ladders.Resolve(l, source, ladders.VOD)
	if err != nil {
		return nil, err
	}
	return &plan{clip: clip, ladder: ladder, source: info, Resolved: resolved}, nil
}

func probe(ctx context.Context, worker, clip string) (*galav1.SourceInfo, error) {
	text, err := exec.CommandContext(ctx, worker, "probe", "--json", clip).Output()
	if err != nil {
		return nil, fmt.Errorf("probe %s: %w", clip, err)
	}
	r := &galav1.ProbeResult{}
	if err := protojson.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("probe %s: %w", clip, err)
	}
	if e := r.GetError(); e != nil {
		return nil, fmt.Errorf("probe %s: %s", clip, e.GetMessage())
	}
	return r.GetSource(), nil
}

// video and audio are the renditions of each kind.
func (p *plan) video() []ladders.Rendition {
	return slices.DeleteFunc(slices.Clone(p.Renditions), func(r ladders.Rendition) bool { return r.Video == nil })
}

func (p *plan) audio() []ladders.Rendition {
	return slices.DeleteFunc(slices.Clone(p.Renditions), func(r ladders.Rendition) bool { return r.Audio == nil })
}

// assign writes the worker's input into dir; the tree goes to out.
func (p *plan) assign(dir, out string) error {
	a := &galav1.Assignment{
		Id: "bench", Job: "bench", Kind: galav1.JobKind_JOB_KIND_VOD, Epoch: 1, Attempt: 1,
		Input: p.clip, Source: p.source, Grid: wire.GridProto(p.Grid), Renditions: wire.RenditionProtos(p.Renditions),
		Outputs: []*galav1.Output{{Url: "file://" + out}}, Device: "cpu", WritesManifest: true, AllowedSources: []string{"*"},
	}
	text, err := protojson.Marshal(a)
	if err != nil {
		return fmt.Errorf("write assignment: %w", err)
	}
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "assignment.json"), text, 0o644))
}

// outcome is what a worker left behind.
func outcome(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "outcome.json"))
	if err != nil {
		return fmt.Errorf("read outcome: %w", err)
	}
	o := &galav1.Outcome{}
	if err := protojson.Unmarshal(text, o); err != nil {
		return fmt.Errorf("read outcome: %w", err)
	}
	if o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_FINISHED {
		return fmt.Errorf("the worker ended with %s: %s", o.GetCode(), o.GetMessage())
	}
	return nil
}

// every is the length of count grid frames in seconds, as ffmpeg reads it.
func every(g timeline.Grid, frames int64) string {
	return fmt.Sprintf("%.6f", float64(frames*g.Rate.Den)/float64(g.Rate.Num))
}
