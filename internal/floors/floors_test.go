// Package floors holds the house together: imports point down only, and each C
// library, queue and store stays behind one package. It has nothing but this
// test, and knows nothing but import paths.
package floors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/galafarm/gala/"

// floor is where a tree of packages lives; imports may go to a lower floor or
// stay within the same tree.
type floor struct {
	tree   string
	level  int
	reason string
}

// The first match counts, so inner trees stand before the trees they are in.
var floors = []floor{
	{"e2e", 90, "end-to-end tests use everything"},
	{"cmd/", 80, "commands wire, and nothing imports them"},
	{"benchmarks/", 75, "benchmarks stand on top of everything but the commands"},
	{"scheduler", 60, "a tower: it never reaches into the agent's"},
	{"agent", 60, "a tower: it never reaches into the scheduler's"},
	{"origin", 55, "the origin server serves anyone's output"},
	{"client", 55, "clients speak to the farm by its wire types only"},
	{"internal/doctor", 55, "the doctor looks at a machine"},
	{"internal/fakefarm", 50, "a scripted farm for the tests of clients"},
	{"internal/wire", 45, "converters sit between the wire and the words of the media engine"},
	{"media", 40, "the media engine knows no gRPC and no processes"},
	{"ladders", 30, "ladders need only rates and the grid"},
	{"timeline", 20, "media time needs nothing"},
	{"proto", 20, "wire types need nothing"},
	{"internal", 20, "small stones that everyone may use"},
}

// owners may import what nobody else may.
var owners = []struct{ dependency, owner, reason string }{
	{"github.com/asticode/go-astiav", "media/libav", "one package drives libav, so that one place answers for its memory and its crashes"},
	{"github.com/aws", "media/bucket", "what knows cloud credentials is small enough to read"},
	{"golang.org/x/oauth2", "media/bucket", "what knows cloud credentials is small enough to read"},
	{"github.com/NVIDIA/go-nvml", "agent/gpu", "one package talks to the driver: a missing symbol kills the process"},
	{"github.com/hibiken/asynq", "scheduler/vod", "the queue is an implementation detail of VOD jobs"},
	{"github.com/redis/go-redis", "scheduler/store scheduler/vod", "desired state has one door"},
	{"github.com/alicebob/miniredis", "scheduler/store scheduler/vod", "desired state has one door"},
}

// edges may see generated wire types; everyone else uses their own words.
var edges = []string{"proto", "internal/wire", "client", "cmd/", "e2e", "benchmarks/", "scheduler", "agent", "internal/doctor", "internal/fakefarm"}

// pure packages take time as an argument.
var pure = []string{"timeline", "scheduler/fleet", "scheduler/placement", "scheduler/reconcile"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", module+"...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func find(path string) (floor, bool) {
	rel := strings.TrimPrefix(path, module)
	for _, f := range floors {
		if in(rel, f.tree) {
			return f, true
		}
	}
	return floor{}, false
}

func in(rel, tree string) bool {
	tree = strings.TrimSuffix(tree, "/")
	return rel == tree || strings.HasPrefix(rel, tree+"/")
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		from, ok := find(p.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: give it one here, with the reason", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			to, ok := find(i)
			if !strings.HasPrefix(i, module) || !ok || from.tree == to.tree {
				continue
			}
			if to.level >= from.level {
				t.Errorf("%s imports %s, which is not below it: %s", p.ImportPath, i, to.reason)
			}
		}
	}
}

func TestLibrariesHaveOneOwner(t *testing.T) {
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			for _, o := range owners {
				if !in(i, o.dependency) && !strings.HasPrefix(i, o.dependency+"/") {
					continue
				}
				if !anyIn(rel, strings.Fields(o.owner)) {
					t.Errorf("%s imports %s, which only %s may: %s", p.ImportPath, i, o.owner, o.reason)
				}
			}
		}
	}
}

func TestWireTypesStopAtTheEdges(t *testing.T) {
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			if i == module+"proto/gala/v1" && !anyIn(rel, edges) {
				t.Errorf("%s imports generated wire types: use ladders, timeline and media words; internal/wire converts", p.ImportPath)
			}
		}
	}
}

func TestPureCoreHasNoClockSocketOrGoroutine(t *testing.T) {
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module)
		if !anyIn(rel, pure) {
			continue
		}
		for _, i := range p.Imports {
			if i == "net" || i == "os" || i == "context" || strings.HasPrefix(i, "net/") || strings.HasPrefix(i, "google.golang.org/grpc") {
				t.Errorf("%s imports %s: the pure core takes values and gives values", p.ImportPath, i)
			}
		}
	}
}

// forbidden words in the source of pure packages.
var forbidden = []string{"time.Now(", "time.Sleep(", "time.After(", "go func", "rand."}

func TestPureCoreReadsNoClock(t *testing.T) {
	for _, tree := range pure {
		files, err := filepath.Glob("../../" + tree + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no source in %s: %v", tree, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range forbidden {
				if bytes.Contains(text, []byte(word)) {
					t.Errorf("%s says %q: the pure core takes now as an argument and starts nothing", name, word)
				}
			}
			if tree == "timeline" && bytes.Contains(text, []byte("float")) {
				t.Errorf("%s says float: media time is integers", name)
			}
		}
	}
}

func anyIn(rel string, trees []string) bool {
	for _, tree := range trees {
		if in(rel, tree) {
			return true
		}
	}
	return false
}
