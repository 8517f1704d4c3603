package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Probe asks a fresh worker process what an input is; the answer goes to the
// reports. A broken input costs one process.
func (s *Supervisor) Probe(req *galav1.ProbeRequest) {
	select {
	case s.probes <- req:
	default:
		s.env.reports.Probed(&galav1.ProbeResult{Id: req.GetId(), Error: &galav1.JobError{
			Code: "agent_busy", Message: fmt.Sprintf("%d probes wait on this agent", cap(s.probes)), Advice: "try again in a minute", Retryable: true,
		}})
	}
}

func (s *Supervisor) probe(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case req := <-s.probes:
			if r := s.probeOnce(ctx, req); ctx.Err() == nil {
				s.env.reports.Probed(r)
			}
		}
	}
}

func (s *Supervisor) probeOnce(ctx context.Context, req *galav1.ProbeRequest) *galav1.ProbeResult {
	ingest, release, err := s.holdForProbe(ctx, req)
	if err != nil {
		return &galav1.ProbeResult{Id: req.GetId(), Error: wire.JobErrorProto(err)}
	}
	defer release()
	t := tool{worker: s.env.worker, args: probeArgs(req, ingest), source: req.GetInput(), deadline: s.env.limits.Probe}
	a, err := t.run(ctx)
	r := &galav1.ProbeResult{}
	parsed := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(bytes.TrimSpace(a.stdout), r)
	// An answer counts whatever the exit status is: a bad input is one.
	if parsed != nil || r.GetSource() == nil && r.GetError() == nil {
		r = &galav1.ProbeResult{Error: probeError(a, err, s.env.limits)}
	}
	r.Id = req.GetId()
	return r
}

// holdForProbe has a live source held that is looked at: the worker that comes
// after reads on where the look began.
// One that is not on air yet takes no place from other looks: it is put off.
func (s *Supervisor) holdForProbe(ctx context.Context, req *galav1.ProbeRequest) (dir string, release func(), err error) {
	if req.GetJob() == "" || !runsByItself(req.GetKind(), req.GetInput()) {
		return "", func() {}, nil
	}
	dir, release, err = s.env.ingests.hold(taskOf(req.GetJob(), int(req.GetInputNumber()), req.GetInput(), req.GetAllowedSources()))
	if errors.Is(err, errSources) {
		err = &media.Error{Code: media.SourceError, Message: "this agent cannot hold the source", Err: err, Retryable: true, Advice: "add an agent, or raise this one's limit"}
	}
	if err != nil {
		return "", nil, err
	}
	if err := onAir(ctx, dir, req.GetInput(), s.env.limits.IngestWait); err != nil {
		release()
		return "", nil, err
	}
	return dir, release, nil
}

// probeArgs: an input that looks like a flag is none.
func probeArgs(req *galav1.ProbeRequest, ingest string) []string {
	args := []string{"probe", "--json"}
	if ingest != "" {
		args = append(args, "--ingest="+ingest)
	}
	for _, pattern := range req.GetAllowedSources() {
		args = append(args, "--allow="+pattern)
	}
	if strings.HasPrefix(req.GetInput(), "-") {
		args = append(args, "--")
	}
	return append(args, req.GetInput())
}

func probeError(a answer, err error, l Limits) *galav1.JobError {
	e := &galav1.JobError{Code: "source_error", Retryable: true, Advice: "play the source with ffprobe on the agent's host to see what it is"}
	var exited *exec.ExitError
	switch {
	case errors.Is(err, errDeadline):
		e.Message = fmt.Sprintf("probing the source took longer than %s", l.Probe)
		e.Advice = "check that the source answers from the agent's host"
	case errors.As(err, &exited):
		e.Code = "crashed"
		e.Message = "probing the source failed: the probe " + exit{known: true, status: exited.Sys().(syscall.WaitStatus)}.String()
	case err != nil:
		e.Code, e.Advice = "crashed", "check gala-worker beside gala-agent"
		e.Message = "the probe could not run: " + err.Error()
	default:
		e.Code, e.Message = "crashed", "the probe gave no answer"
	}
	if a.log != "" {
		e.Message += "; its log ends:\n" + a.log
	}
	return e
}

// Description is what a worker program says of itself.
type Description struct {
	FFmpeg   string   `json:"ffmpeg"`
	Encoders []string `json:"encoders"`
}

// Describe asks the worker program at path.
func Describe(ctx context.Context, path string, l Limits) (Description, error) {
	t := tool{worker: path, args: []string{"version", "--json"}, deadline: l.orDefaults().Version}
	a, err := t.run(ctx)
	if err != nil {
		return Description{}, fmt.Errorf("ask %s what it can do: %w", path, err)
	}
	var d Description
	if err := json.Unmarshal(a.stdout, &d); err != nil {
		return d, fmt.Errorf("ask %s what it can do: %w", path, err)
	}
	return d, nil
}
