package ingest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/benchmarks/harness"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Options of a measurement.
type Options struct {
	Clip     string
	Each     time.Duration // of each kind of source
	Binaries harness.Binaries
	Dir      string
	Log      io.Writer
	Command  string
}

// Run is one kind of source, measured.
type Run struct {
	Source  string  `json:"source"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	// Memory at its end, in bytes.
	RSS  int64 `json:"rss"`
	PSS  int64 `json:"pss"`
	Anon int64 `json:"anonymous"`
	Peak int64 `json:"peak"`
	// Ring is what it held at the end.
	RingSeconds float64 `json:"ring_seconds"`
	RingBytes   int64   `json:"ring_bytes"`
	// Bytes and Pictures came in meanwhile; Lost pictures are holes in their
	// times, Overtaken what the reader was too slow for.
	Bytes     int64   `json:"bytes"`
	Pictures  int64   `json:"pictures"`
	Lost      int64   `json:"lost"`
	Overtaken int64   `json:"overtaken"`
	Sessions  int32   `json:"sessions"`
	Load      float64 `json:"load"` // average at its end
}

// keepSeconds and keepBytes are what the agent asks for.
const keepSeconds, keepBytes = 45, 512 << 20

// settle is how long a source runs before anything is counted: until the ring
// is full.
const settle = (keepSeconds + 3) * time.Second

// Measure runs every kind of source, one after the other.
func Measure(ctx context.Context, o Options) (harness.Record, error) {
	versions, err := o.Binaries.Read(ctx)
	if err != nil {
		return harness.Record{}, err
	}
	around, own := harness.Begin(), 0.0
	var runs []Run
	for _, s := range sources() {
		r, err := o.one(ctx, s)
		if err != nil {
			return harness.Record{}, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(o.Log, "%-16s %.3f of a core, %d MB, %d lost\n", r.Source, r.CPU/r.Seconds, r.RSS>>20, r.Lost)
		runs = append(runs, r)
	}
	around.End(harness.ThisHost().Cores, own)
	return o.record(runs, versions, around)
}

// one measures a source from its full ring on.
func (o Options) one(ctx context.Context, s source) (Run, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp(o.Dir, "source-")
	if err != nil {
		return Run{}, err
	}
	from, sender, err := s.start(ctx, o, dir)
	if err != nil {
		return Run{}, err
	}
	defer sender()
	cmd, err := o.spawn(ctx, dir, from)
	if err != nil {
		return Run{}, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	read, err := newReader(ctx, dir)
	if err != nil {
		return Run{}, err
	}
	defer read.close()
	if err := read.first(ctx); err != nil {
		return Run{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return Run{}, err
	}
	return o.window(ctx, s.name, cmd.Process.Pid, read)
}

// window counts over the time that was asked for.
func (o Options) window(ctx context.Context, name string, pid int, read *reader) (Run, error) {
	began, counts := time.Now(), read.counts()
	before, err := harness.Look(pid)
	if err != nil {
		return Run{}, err
	}
	if err := pause(ctx, o.Each); err != nil {
		return Run{}, err
	}
	after, err := harness.Look(pid)
	if err != nil {
		return Run{}, fmt.Errorf("the ingest has ended: %w", err)
	}
	st, err := read.state(ctx)
	if err != nil {
		return Run{}, err
	}
	m, now := harness.MemoryOf(pid), read.counts()
	return Run{
		Source: name, Seconds: time.Since(began).Seconds(), CPU: after.CPU - before.CPU,
		RSS: m.Resident, PSS: m.Proportional, Anon: m.Anonymous, Peak: after.Peak,
		RingSeconds: float64(st.GetKeptUs()) / 1e6, RingBytes: st.GetKeptBytes(),
		Bytes: now.bytes - counts.bytes, Pictures: now.pictures - counts.pictures, Lost: now.lost - counts.lost, Overtaken: now.overtaken - counts.overtaken,
		Sessions: st.GetSessions(), Load: harness.LoadNow().One,
	}, read.err()
}

// spawn starts the ingest as an agent does.
func (o Options) spawn(ctx context.Context, dir, from string) (*exec.Cmd, error) {
	text, err := protojson.Marshal(&galav1.IngestTask{Job: "bench", Input: from, AllowedSources: []string{"*"}, KeepSeconds: keepSeconds, KeepBytes: keepBytes})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "ingest.json"), text, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, o.Binaries.Worker, "ingest", "--dir", dir)
	cmd.Dir = dir
	return cmd, cmd.Start()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
