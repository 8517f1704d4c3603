package supervisor

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// warm is a live source that is held without a worker, with its backups.
type warm struct {
	dirs    []string // of the ingests
	release []func() // of all
}

// Hold holds a job's live source without a worker, or lets go of it. The
// scheduler asks again when it misses it, so a failure is only logged.
func (s *Supervisor) Hold(d *galav1.HoldSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, already := s.warm[d.GetJob()]
	switch {
	case d.GetRelease() && already:
		delete(s.warm, d.GetJob())
		for _, release := range held.release {
			release()
		}
		s.log.Info("source held no more for a successor", "job", d.GetJob())
	case d.GetRelease() || already || s.closed:
	default:
		s.takeUp(d)
	}
}

// takeUp holds the inputs of a job. A backup that cannot be held is left out.
func (s *Supervisor) takeUp(d *galav1.HoldSource) {
	var held warm
	for i, url := range append([]string{d.GetInput()}, d.GetBackups()...) {
		dir, release, err := s.env.ingests.hold(taskOf(d.GetJob(), i, url, d.GetAllowedSources()))
		switch {
		case err == nil:
			held.dirs, held.release = append(held.dirs, dir), append(held.release, release)
		case i == 0:
			s.log.Warn("source not held for a successor", "job", d.GetJob(), "error", err)
			return
		default:
			s.log.Warn("backup not held for a successor", "job", d.GetJob(), "input", i, "error", err)
		}
	}
	s.warm[d.GetJob()] = held
	s.log.Info("source held for a successor", "job", d.GetJob())
}

// Sources are the jobs whose live source is held without a worker.
func (s *Supervisor) Sources() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.warm))
}

// keptWithin bounds the asking of one ingest what it keeps.
const keptWithin = 200 * time.Millisecond

// Kept asks how much of each source that is held without a worker lies in its
// ring: of the input of which most does, because one that is pushed may come to
// another host. One that does not answer counts as empty.
func (s *Supervisor) Kept(ctx context.Context) (all []*galav1.SourceHeld) {
	s.mu.Lock()
	held := maps.Clone(s.warm)
	s.mu.Unlock()
	for _, job := range slices.Sorted(maps.Keys(held)) {
		most := int64(0)
		for _, dir := range held[job].dirs {
			most = max(most, kept(ctx, dir))
		}
		all = append(all, &galav1.SourceHeld{Job: job, KeptUs: most})
	}
	return all
}

func kept(ctx context.Context, dir string) int64 {
	conn, err := unixsock.Client(dir, fileSocket)
	if err != nil {
		return 0
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, keptWithin)
	defer cancel()
	st, err := galav1.NewIngestClient(conn).State(ctx, &galav1.StateRequest{Protocol: version.Protocol}, grpc.WaitForReady(false))
	if err != nil {
		return 0
	}
	return st.GetKeptUs()
}
