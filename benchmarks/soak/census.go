package soak

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/galafarm/gala/benchmarks/farm"
)

// Goroutines of a process by the function that started them, "" the first one.
type Goroutines map[string]int

var stack = regexp.MustCompile(`(?ms)^goroutine \d+ .*?(?:^created by (\S+)|\n\n)`)

// serving one connection each: how many there are is up to clients.
var serving = []string{"net/http.(*Server).Serve", "google.golang.org/grpc.(*Server).Serve", "google.golang.org/grpc.(*Server).handleRawConn"}

// goroutinesIn reads the stacks that a process printed when it was ended.
func goroutinesIn(text string) Goroutines {
	g := Goroutines{}
	for _, m := range stack.FindAllStringSubmatch(text, -1) {
		g[m[1]]++
	}
	return g
}

// own is how many there are but for those that serve connections.
func (g Goroutines) own() (n int) {
	for by, count := range g {
		if !slices.Contains(serving, by) {
			n += count
		}
	}
	return n
}

// more says of which there are more than there were, the most first.
func (g Goroutines) more(than Goroutines) (said []string) {
	for _, by := range slices.Sorted(maps.Keys(g)) {
		if n := g[by] - than[by]; n > 0 && !slices.Contains(serving, by) {
			said = append(said, fmt.Sprintf("%d started by %s", n, by))
		}
	}
	return said
}

// census ends worker, agent and scheduler, one after the other, each with the
// others there, and reads the stacks that they print.
func (s *soak) census(ctx context.Context) (map[string]Goroutines, error) {
	all := map[string]Goroutines{}
	for _, kind := range []string{"worker", "agent", "gala"} {
		p, err := s.find(kind)
		if err != nil {
			return nil, err
		}
		text, err := farm.Quit(p.PID)
		if err != nil {
			return nil, err
		}
		all[kind] = goroutinesIn(text)
		if len(all[kind]) == 0 {
			return nil, fmt.Errorf("%s (process %d) printed no stacks when it was ended", p.Role, p.PID)
		}
		s.say("%s had %d goroutines of its own", p.Role, all[kind].own())
		if kind == "gala" {
			if err := s.farm.Restart(ctx); err != nil {
				return nil, err
			}
		}
		// What was ended is back, and has done its work for a while.
		if !rest(ctx, goneWithin) {
			return nil, ctx.Err()
		}
		if err := s.running(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// find the process of a kind: of workers the bystander's.
func (s *soak) find(kind string) (farm.Process, error) {
	for _, p := range s.farm.Processes() {
		if p.Role == kind || p.Role == kind+" "+bystander {
			return p, nil
		}
	}
	return farm.Process{}, fmt.Errorf("the farm has no process %s", kind)
}

func media(p farm.Process) bool {
	return strings.HasPrefix(p.Role, "worker") || strings.HasPrefix(p.Role, "ingest")
}

// leftovers are processes of a farm that has ended, and directories of runs
// whose end no scheduler has heard of.
func (s *soak) leftovers() {
	for _, p := range s.farm.Processes() {
		if media(p) {
			s.Processes = append(s.Processes, p.Role)
		}
	}
	s.Files, s.Kept = s.runs()
}

// runs are the directories of those whose end no scheduler has heard of, and how
// many others there are: an agent keeps its newest, so that people can ask why.
func (s *soak) runs() (unheard []string, others int) {
	dirs, _ := filepath.Glob(filepath.Join(s.farm.Data, "agent", "workers", "*")) // errs on a bad pattern only
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "declared")); err == nil {
			others++
		} else if _, err := os.Stat(filepath.Join(dir, "assignment.json")); err == nil {
			unheard = append(unheard, filepath.Base(dir))
		}
	}
	return unheard, others
}
