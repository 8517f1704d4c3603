package scheduler_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (f *farm) cordon(agent, device string, drain bool) *galav1.AgentView {
	f.t.Helper()
	r, err := f.client.Cordon(f.t.Context(), &galav1.CordonRequest{Agent: agent, Device: device, Drain: drain, Reason: "new kernel"})
	if err != nil {
		f.t.Fatal(err)
	}
	return r.GetAgent()
}

// A drain outlives the scheduler that was asked for it: the next one goes on with
// the handover, and places nothing there until it is opened again.
func TestADrainOutlivesItsScheduler(t *testing.T) {
	s := store.NewMemory()
	f := newFarm(t, s)
	a := newAgent(f, "a1").attach(f)
	f.submit(live("match"))
	first := a.started()
	a.report(first, 100)
	f.awaitState("match", running)
	b := newAgent(f, "b1").attach(f)
	if v := f.cordon("a1", "", true); !v.GetCordon().GetDrain() || v.GetCordon().GetReason() != "new kernel" {
		t.Errorf("answered with %v", v)
	}
	if d := a.told(); d.GetMode() != galav1.StopMode_STOP_MODE_LEAVE || d.GetEpoch() != 1 {
		t.Fatalf("told %v", d)
	}
	f.stopped()

	f = newFarm(t, s)
	a.attach(f)
	b.attach(f)
	if d := a.told(); d.GetMode() != galav1.StopMode_STOP_MODE_LEAVE {
		t.Fatalf("told by the next scheduler: %v", d)
	}
	a.report(first, 101)
	a.end(first, galav1.OutcomeCode_OUTCOME_CODE_HANDED_OVER, true)
	second := b.started()
	if second.GetEpoch() != 2 || !second.GetResume() || second.GetResumeSegment() != 102 {
		t.Errorf("handed over as %v", second)
	}
	b.report(second, 102)
	if j := f.awaitState("match", running); !happened(j, "handed_over") {
		t.Error("events:", events(j))
	}
	f.submit(live("other"))
	if as := b.started(); as.GetJob() != "other" {
		t.Errorf("placed %v", as)
	}
	if _, err := f.client.Uncordon(t.Context(), &galav1.UncordonRequest{Agent: "a1"}); err != nil {
		t.Fatal(err)
	}
	f.submit(live("third"))
	if as := a.started(); as.GetJob() != "third" {
		t.Errorf("placed %v", as)
	}
}

func TestACordonNamesWhatThereIs(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	newAgent(f, "a1").attach(f)
	f.submit(live("match"))
	f.await("match", "placed, and the agent listed", func(j *galav1.Job) bool {
		r, err := f.client.ListAgents(t.Context(), &galav1.ListAgentsRequest{})
		return err == nil && len(r.GetAgents()) == 1 && len(j.GetPlacements()) == 1
	})
	for _, at := range [][2]string{{"nobody", ""}, {"a1", "GPU-1"}} {
		if _, err := f.client.Cordon(t.Context(), &galav1.CordonRequest{Agent: at[0], Device: at[1]}); status.Code(err) != codes.NotFound {
			t.Errorf("%v: %v", at, err)
		}
	}
	f.cordon("a1", "", false)
	f.await("match", "the agent shown as cordoned", func(*galav1.Job) bool {
		r, err := f.client.ListAgents(t.Context(), &galav1.ListAgentsRequest{})
		return err == nil && r.GetAgents()[0].GetCordon() != nil && r.GetAgents()[0].GetDevices()[0].GetPlaced() == 1
	})
	if _, err := f.client.Uncordon(t.Context(), &galav1.UncordonRequest{Agent: "a1", Device: "cpu"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a device of a cordoned agent: %v", err)
	}
}

// The source of a job that runs by itself is held by a second agent, which is told
// again when it forgets, and let go when the job ends.
func TestASecondAgentHoldsTheSource(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	spec := live("match")
	spec.Input = "srt://127.0.0.1:9000"
	f.submit(spec)
	first := a.started()
	b := newAgent(f, "b1").attach(f)
	a.report(first, 100)
	if h := take(t, b.holds, "b1 to be told to hold the source"); h.GetJob() != "match" || h.GetInput() != spec.GetInput() || h.GetRelease() {
		t.Fatalf("told %v", h)
	}
	if j := f.await("match", "the holder in the record", func(j *galav1.Job) bool { return j.GetWarm() != "" }); j.GetWarm() != "b1" {
		t.Errorf("held by %q", j.GetWarm())
	}
	b.attach(f) // and says nothing of it
	a.report(first, 101)
	take(t, b.holds, "b1 to be told again")
	f.cancel("match", "")
	a.told()
	a.end(first, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false)
	if h := take(t, b.holds, "b1 to be let go"); !h.GetRelease() {
		t.Errorf("told %v", h)
	}
}

// Two replicas of a job run on two agents, each in its own tree and with its own
// epochs; the death of one leaves the other alone.
func TestReplicasAreIndependent(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a, b := newAgent(f, "a1").attach(f), newAgent(f, "b1").attach(f)
	spec := live("match")
	spec.Redundancy = 2
	f.submit(spec)
	one, two := a.started(), b.started()
	if one.GetReplica()+two.GetReplica() != 3 || one.GetReplicas() != 2 || one.GetId() == two.GetId() {
		t.Fatalf("started %v and %v", one, two)
	}
	for _, as := range []*galav1.Assignment{one, two} {
		if want := map[uint32]string{1: "http://127.0.0.1:8080/origin/match/r1", 2: "http://127.0.0.1:8080/origin/match/r2"}[as.GetReplica()]; as.GetOutputs()[0].GetUrl() != want {
			t.Errorf("replica %d writes to %v", as.GetReplica(), as.GetOutputs())
		}
	}
	a.report(one, 100)
	b.report(two, 101)
	j := f.await("match", "both on air", func(j *galav1.Job) bool { return j.GetReason() == "runs on a1/cpu and b1/cpu" })
	if j.GetState() != running || len(j.GetReplicas()) != 2 || j.GetRenditions()[0].GetLastSegment() != 101 || j.GetOutputs()[0] != "http://127.0.0.1:8080/origin/match/master.m3u8" {
		t.Errorf("running as %v", j)
	}
	b.end(two, galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true)
	again := b.started()
	if again.GetReplica() != two.GetReplica() || again.GetEpoch() != 2 || again.GetResumeSegment() != 102 {
		t.Errorf("started again as %v", again)
	}
	f.awaitState("match", degraded)
	b.report(again, 103)
	if j := f.awaitState("match", running); j.GetReplicas()[one.GetReplica()-1].GetPlacement().GetEpoch() != 1 {
		t.Errorf("the other was touched: %v", j.GetReplicas())
	}
	f.cancel("match", "")
	a.told()
	b.told()
	a.end(one, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false)
	b.end(again, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false)
	f.awaitState("match", done)
}

// A host that was drained and switched off is shown, and can be opened, by a
// scheduler that has never heard of it.
func TestACordonedAgentThatIsAway(t *testing.T) {
	s := store.NewMemory()
	if err := s.PutCordon(t.Context(), fleet.Cordon{Agent: "a1", Drain: true, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	f := newFarm(t, s)
	agents := func() []*galav1.AgentView {
		r, err := f.client.ListAgents(t.Context(), &galav1.ListAgentsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetAgents()
	}
	until(t, "it is shown", func() bool {
		a := agents()
		return len(a) == 1 && a[0].GetName() == "a1" && a[0].GetCordon().GetDrain() && !a[0].GetConnected()
	})
	if _, err := f.client.Uncordon(t.Context(), &galav1.UncordonRequest{Agent: "a1"}); err != nil {
		t.Fatal(err)
	}
	until(t, "it is shown no more", func() bool { return len(agents()) == 0 })
	f.submit(live("match"))
	newAgent(f, "a1").attach(f).started()
}

// A store that loses a cordon while the scheduler runs gets it back; one that was
// lifted meanwhile stays lifted.
func TestALostCordonIsWrittenBack(t *testing.T) {
	mini := miniredis.RunT(t)
	s := openStore(t, "redis://"+mini.Addr())
	f := newFarm(t, s)
	newAgent(f, "a1").attach(f)
	newAgent(f, "b1").attach(f)
	f.submit(live("match"))
	f.await("match", "both agents listed", func(*galav1.Job) bool {
		r, err := f.client.ListAgents(t.Context(), &galav1.ListAgentsRequest{})
		return err == nil && len(r.GetAgents()) == 2
	})
	f.cordon("b1", "", false)
	f.cordon("a1", "", true)
	if _, err := f.client.Uncordon(t.Context(), &galav1.UncordonRequest{Agent: "b1"}); err != nil {
		t.Fatal(err)
	}
	mini.FlushAll()
	until(t, "the cordon to be in the store again", func() bool {
		all, err := s.Cordons(t.Context())
		return err == nil && len(all) == 1 && all[0].Agent == "a1" && all[0].Drain && all[0].Reason == "new kernel"
	})
}

// A source that is held for a job which nobody knows is let go of, when agents
// that may run the job have had time to attach.
func TestASourceOfAnUnknownJobIsLetGo(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	b := newAgent(f, "b1")
	b.sources = []string{"forgotten"}
	b.attach(f)
	if h := take(t, b.holds, "b1 to be let go"); h.GetJob() != "forgotten" || !h.GetRelease() {
		t.Errorf("told %v", h)
	}
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(15 * time.Second); !cond(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited for: %s", what)
		}
	}
}
