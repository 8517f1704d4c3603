package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// remains is the directory of an ended run.
type remains struct {
	dir  runDir
	last time.Time
}

// tidy keeps disk work out of the callers' way.
func (s *Supervisor) tidy(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	s.sweep()
	for {
		select {
		case <-ctx.Done():
			return
		case dir := <-s.declared:
			s.declare(dir)
		case <-tick.C:
			s.sweep()
		}
	}
}

func (s *Supervisor) declare(dir runDir) {
	if !dir.has(fileAssignment) {
		return
	}
	if err := dir.write(fileDeclared, nil); err != nil {
		s.log.Warn("mark outcome as delivered", "error", err)
	}
	s.sweep()
}

// sweep removes what is left of old runs, so that the disk stays bounded: the
// newest stay for whoever asks why.
func (s *Supervisor) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.log.Warn("read runtime directories", "error", err)
		return
	}
	var declared, undeclared []remains
	for _, e := range entries {
		dir := runDir(filepath.Join(s.dir, e.Name()))
		info, err := e.Info()
		if err != nil || s.holds(dir) {
			continue
		}
		if dir.has(fileDeclared) {
			declared = append(declared, remains{dir, info.ModTime()})
		} else {
			undeclared = append(undeclared, remains{dir, info.ModTime()})
		}
	}
	s.removeOldest(declared, s.env.limits.KeepRuns)
	s.removeOldest(undeclared, s.env.limits.KeepUndeclared)
}

func (s *Supervisor) removeOldest(r []remains, keep int) {
	slices.SortFunc(r, func(a, b remains) int { return b.last.Compare(a.last) })
	for _, old := range r[min(keep, len(r)):] {
		if err := os.RemoveAll(string(old.dir)); err != nil {
			s.log.Warn("remove runtime directory", "dir", string(old.dir), "error", err)
		}
	}
}

func (s *Supervisor) holds(dir runDir) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.dir == dir {
			return true
		}
	}
	_, lives := s.undead[dir]
	return lives
}
