package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/google/go-cmp/cmp"
)

func wishes(t *testing.T, text string) []Wish {
	t.Helper()
	w, err := ParseWishes(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func names(steps []step) (all []string) {
	for _, s := range steps {
		all = append(all, s.fault.Name)
	}
	return all
}

func TestPlanFollowsFromTheSeed(t *testing.T) {
	w := wishes(t, "worker-kill:5, agent-kill:2,redis-kill")
	one, err := plan(w, 20*time.Second, 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := plan(w, 20*time.Second, 0, 7)
	other, _ := plan(w, 20*time.Second, 0, 8)
	if diff := cmp.Diff(names(one), names(again)); diff != "" || slices.Equal(names(one), names(other)) {
		t.Errorf("seed 7 %v, again %v, seed 8 %v", names(one), names(again), names(other))
	}
	count := map[string]int{}
	for _, s := range one {
		count[s.fault.Name]++
		if s.after < 15*time.Second || s.after > 25*time.Second {
			t.Errorf("%s after %v", s.fault.Name, s.after)
		}
	}
	if diff := cmp.Diff(map[string]int{"worker-kill": 5, "agent-kill": 2, "redis-kill": 1}, count); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

func TestPlanFillsATime(t *testing.T) {
	steps, err := plan(wishes(t, "worker-kill,agent-kill:1"), 10*time.Second, time.Minute, 1)
	if err != nil || len(steps) != 7 || strings.Count(strings.Join(names(steps), " "), "agent-kill") != 1 {
		t.Errorf("%v %v", names(steps), err)
	}
}

func TestWishesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{"meteor": "there are worker-kill", "worker-kill:0": "is no count", "worker-kill:x": "is no count", "": "no fault"} {
		if _, err := ParseWishes(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFaultsAreExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Name] || f.What == "" || f.inject == nil || f.Bars.Gap == 0 || f.Bars.Edge == 0 || f.Bars.Edge < f.Holds {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
	}
}

func TestListeningSocketsAreFound(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
`
	found := map[string]bool{}
	listening(table, 8081, found)
	if diff := cmp.Diff(map[string]bool{"socket:[4711]": true}, found); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

// A farm is what answers at its address: this test does, and is no gala.
func TestNoFarmIsFound(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if _, err := FindFarm(address); err == nil || !strings.Contains(err.Error(), "not gala") {
		t.Errorf("%v", err)
	}
	_ = l.Close()
	if _, err := FindFarm(address); err == nil || !strings.Contains(err.Error(), "nothing listens") {
		t.Errorf("%v", err)
	}
	if _, err := FindFarm("192.0.2.1:8081"); err == nil || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("%v", err)
	}
}

// A process is signalled only while it is the one that was looked at.
func TestASignalReachesItsProcessOnly(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p, err := look(cmd.Process.Pid)
	for errors.Is(err, errStarting) {
		p, err = look(cmd.Process.Pid)
	}
	if err != nil || p.parent != os.Getpid() || p.name != "sleep" {
		t.Fatalf("%+v %v", p, err)
	}
	other := p
	other.args = []string{"sleep", "61"}
	if err := other.signal(syscall.SIGKILL); err == nil {
		t.Error("another process was signalled")
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if err := p.signal(syscall.SIGKILL); err == nil {
		t.Error("a process that has ended was signalled")
	}
}

func TestFlagsOfAProcess(t *testing.T) {
	p := process{args: []string{"gala-agent", "run", "--scheduler", "127.0.0.1:8081", "--data=/a b"}}
	if p.flag("--scheduler") != "127.0.0.1:8081" || p.flag("--data") != "/a b" || p.flag("--name") != "" {
		t.Error(p.args)
	}
	there := "1: lo: <UP>\n2: eth0@if7: <UP>\n3: eth1@if9: <UP>\n4: wg0: <UP>\n"
	here := "1: lo: <UP>\n7: port1@if2: <UP>\n8: port2@if2: <UP>\n9: other@if5: <UP>\n"
	if got := cables(there, here); !slices.Equal(got, []string{"port1"}) {
		t.Errorf("cables %v", got)
	}
}

// A server is well, misbehaves in every way, and is well again.
func TestTroubleOfAServer(t *testing.T) {
	s := newSpoiled("origin", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }))
	if err := s.serve(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ask := func(within time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return fmt.Sprint(res.StatusCode, " ", strings.TrimSpace(string(body))), err
	}
	const patient = 10 * time.Second
	for trouble, want := range map[trouble]func(string, error) bool{
		unwell: func(got string, _ error) bool { return strings.HasPrefix(got, "503") },
		full:   func(got string, _ error) bool { return strings.HasPrefix(got, "507") },
		drop:   func(_ string, err error) bool { return err != nil && !errors.Is(err, context.DeadlineExceeded) },
		slow:   func(got string, err error) bool { return err == nil && got == "200 here" },
	} {
		heal, _, err := s.spoil(trouble)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(patient); !want(got, err) {
			t.Errorf("%s: %q %v", trouble, got, err)
		}
		if err := heal(); err != nil {
			t.Fatal(err)
		}
		if got, err := ask(patient); got != "200 here" {
			t.Errorf("healed: %q %v", got, err)
		}
	}
	heal, _, _ := s.spoil(freeze)
	if _, err := ask(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen: %v", err)
	}
	answered := make(chan string, 1)
	go func() { got, _ := ask(patient); answered <- got }()
	_ = heal()
	if got := <-answered; got != "200 here" {
		t.Errorf("thawed: %q", got)
	}
}

func TestRelayPassesOn(t *testing.T) {
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RequestURI()) }))
	defer source.Close()
	_, at, err := startRelay(t.Context(), source.URL+"/live/a.m3u8?x=1", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "/live/a.m3u8?x=1" {
		t.Errorf("got %s", body)
	}
	if _, _, err := startRelay(t.Context(), "srt://127.0.0.1:1", "127.0.0.1"); err == nil {
		t.Error("a source that is not on the web was taken")
	}
}

// An agent is back when the farm has one that it had not before; one that is not
// attached any more, or not yet, is none.
func TestAnAgentIsBack(t *testing.T) {
	began := time.Now()
	f := &fakefarm.Farm{Agents: []*galav1.AgentView{{Name: "one", Instance: "a", Connected: true}, {Name: "two", Instance: "b"}}}
	asked := 0
	f.Refuse = func(string) error {
		switch asked++; asked {
		case 3:
			return errors.New("the farm is away")
		case 4:
			f.Agents = []*galav1.AgentView{{Name: "one", Instance: "c", Connected: true}}
		}
		return nil
	}
	c, err := client.Dial(f.Serve(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &Rehearsal{o: Options{Client: c}}
	before, err := r.attached(t.Context())
	if err != nil || len(before) != 1 || !before["a"] {
		t.Fatal(before, err)
	}
	if took := r.back(t.Context(), before, began); asked < 4 || took < 2*backPace || took > time.Since(began) {
		t.Errorf("back after %v, asked %d times", took, asked)
	}
	ctx, end := context.WithTimeout(t.Context(), 3*backPace)
	defer end()
	since := time.Now()
	if took := r.back(ctx, map[string]bool{"c": true}, since); took < 3*backPace {
		t.Errorf("back after %v, though nothing came", took)
	}
}

// Other live jobs stand in the way unless the caller says otherwise.
func TestARehearsalIsRefused(t *testing.T) {
	f := &fakefarm.Farm{}
	f.Put(&galav1.Job{Spec: &galav1.JobSpec{Id: "derby", Kind: galav1.JobKind_JOB_KIND_LIVE}, State: galav1.JobState_JOB_STATE_RUNNING})
	c, err := client.Dial(f.Serve(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &Rehearsal{o: Options{Client: c}}
	if err := r.alone(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "derby on air") {
		t.Errorf("%v", err)
	}
	r.o.Others = true
	if err := r.alone(t.Context()); err != nil {
		t.Error(err)
	}
	r.o = Options{Client: c, Job: "derby"}
	if err := r.alone(t.Context()); err != nil {
		t.Error("the job itself is in the way:", err)
	}
}
