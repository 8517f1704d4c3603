package fleet_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
)

var t0 = time.Date(2026, 7, 19, 20, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

func attached(session fleet.Session, instance string, held ...fleet.Held) fleet.Attached {
	return fleet.Attached{Session: session, Name: "a", Instance: instance, Held: held}
}

var lease = fleet.Held{Assignment: "match-0", Job: "match", Device: "cpu", Epoch: 3}

// told is an effect list in short.
func told(effects []fleet.Effect) string {
	var parts []string
	for _, e := range effects {
		parts = append(parts, strings.TrimPrefix(fmt.Sprintf("%T%v", e, e), "fleet."))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// tick lets time pass as a running scheduler does, and returns what followed.
func tick(v *fleet.View, from, to int) (all []fleet.Effect) {
	for ms := from; ms <= to; ms += 100 {
		all = append(all, v.Apply(at(ms), fleet.Tick{})...)
	}
	return all
}

func TestLostAfterALeaseWithoutABeat(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	if got := told(tick(v, 0, 1200)); got != "" {
		t.Fatalf("within the lease: %s", got)
	}
	if got := told(tick(v, 1300, 1300)); got != "Changed{a lost} Touch{match}" {
		t.Fatalf("after the lease: %s", got)
	}
	if v.Lease("a", "match-0") == nil {
		t.Error("a lost agent's lease was forgotten")
	}
	if got := told(v.Apply(at(1400), fleet.Beat{Agent: "a", Session: 1, Assignments: []string{"match-0"}})); got != "Changed{a back} Room{} Touch{match}" {
		t.Errorf("back: %s", got)
	}
}

func TestABrokenStreamIsKnownAtOnceAndLostWithTheLease(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	if got := told(v.Apply(at(300), fleet.Detached{Agent: "a", Session: 1, Cause: "reset"})); got != "Changed{a detached: reset} Touch{match}" {
		t.Fatalf("detached: %s", got)
	}
	if v.Agent("a").Alive() {
		t.Error("alive without a stream")
	}
	if got := told(tick(v, 400, 1300)); got != "Changed{a lost} Touch{match}" {
		t.Errorf("after the lease: %s", got)
	}
}

// The scheduler was stopped for five seconds; the agents were not.
func TestALateTickAccusesNobody(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	tick(v, 0, 500)
	if got := told(v.Apply(at(5500), fleet.Tick{})); got != "" {
		t.Errorf("after a pause of our own: %s", got)
	}
	if got := told(tick(v, 5600, 6800)); got != "Changed{a lost} Touch{match}" {
		t.Errorf("a lease later: %s", got)
	}
}

func TestOnlyTheNewestSessionIsHeard(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	got := told(v.Apply(at(100), attached(2, "x", lease)))
	if got != "Changed{a attached} Drop{1 the agent attached again true} Room{} Touch{match} Welcome{2}" {
		t.Fatalf("again: %s", got)
	}
	old := fleet.Report{Agent: "a", Session: 1, Assignment: "match-0", Epoch: 3, Outcome: &media.Error{Code: media.Crashed}}
	if got := told(v.Apply(at(200), old)); got != "" || v.Lease("a", "match-0").Outcome != nil {
		t.Errorf("the old session was heard: %s", got)
	}
	if got := told(v.Apply(at(300), fleet.Detached{Agent: "a", Session: 1})); got != "" || !v.Agent("a").Connected {
		t.Errorf("the old session's end detached the agent: %s", got)
	}
}

func TestANameInUse(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x"))
	if got := told(v.Apply(at(100), attached(2, "y"))); !strings.HasPrefix(got, "Drop{2 another agent named") {
		t.Errorf("another process: %s", got)
	}
	tick(v, 100, 1400)
	if got := told(v.Apply(at(1500), attached(3, "y"))); !strings.Contains(got, "Welcome{3}") {
		t.Errorf("after the first was lost: %s", got)
	}
}

func TestWhatAnAgentNoLongerNamesIsMissing(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x"))
	v.Apply(at(100), fleet.Granted{Agent: "a", Assignment: "match-0", Job: "match", Epoch: 1})
	beat := fleet.Beat{Agent: "a", Session: 1}
	v.Apply(at(200), beat)
	if l := v.Lease("a", "match-0"); !l.Missing.IsZero() {
		t.Fatal("missing before the agent can have heard of it")
	}
	v.Apply(at(5000), beat)
	if l := v.Lease("a", "match-0"); !l.Missing.IsZero() {
		t.Fatal("missing though the stream may be slow")
	}
	v.Apply(at(5200), beat)
	if l := v.Lease("a", "match-0"); !l.Missing.Equal(at(5200)) {
		t.Fatalf("missing since %v", l.Missing)
	}
	beat.Assignments = []string{"match-0"}
	v.Apply(at(5300), beat)
	if l := v.Lease("a", "match-0"); !l.Missing.IsZero() || !l.Held {
		t.Error("still missing though named")
	}
}

// The same process owes an outcome for what it no longer holds; a new process
// knows nothing of it.
func TestWhatAHelloNoLongerHolds(t *testing.T) {
	for instance, kept := range map[string]bool{"x": true, "y": false} {
		v := fleet.New(fleet.DefaultTiming())
		v.Apply(at(0), attached(1, "x", lease))
		v.Apply(at(100), fleet.Detached{Agent: "a", Session: 1})
		if got := told(v.Apply(at(200), attached(2, instance))); !strings.Contains(got, "Touch{match}") {
			t.Errorf("instance %s: %s", instance, got)
		}
		if got := v.Lease("a", "match-0") != nil; got != kept {
			t.Errorf("instance %s: lease kept %v, want %v", instance, got, kept)
		}
	}
}

func TestLastWordsOfAPredecessorDoNotCount(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	v.Apply(at(100), fleet.Granted{Agent: "a", Assignment: "match-0", Job: "match", Epoch: 4})
	v.Apply(at(200), fleet.Report{Agent: "a", Session: 1, Assignment: "match-0", Epoch: 3, Outcome: &media.Error{Code: media.Crashed}})
	if l := v.Lease("a", "match-0"); l.Epoch != 4 || l.Outcome != nil {
		t.Errorf("epoch %d ended with %v", l.Epoch, l.Outcome)
	}
}

func TestAProbeWhoseAgentGoesAwayIsLost(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x"))
	v.Apply(at(100), fleet.ProbeSent{Agent: "a", ID: "p1", Job: "match", Try: 1})
	v.Apply(at(200), fleet.Detached{Agent: "a", Session: 1})
	if p := v.Probe("match"); !p.Lost {
		t.Error("the probe is still waited for")
	}
}

// A device is closed by its own cordon or its agent's, a drain counts first, and
// what runs there is looked at again.
func TestCordons(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	if got := told(v.Apply(at(0), fleet.Cordoned{Cordon: fleet.Cordon{Agent: "a", Device: "cpu", Since: t0, Reason: "noise"}})); got != "Changed{a device cpu is cordoned since 20:00:00 (noise)} Touch{match}" {
		t.Error(got)
	}
	if c := v.Cordon("a", "GPU-1"); c != nil || v.Cordon("b", "cpu") != nil {
		t.Errorf("another device is closed: %v", c)
	}
	v.Apply(at(0), fleet.Cordoned{Cordon: fleet.Cordon{Agent: "a", Since: t0, Drain: true}})
	if c := v.Cordon("a", "cpu"); c == nil || !c.Drain || v.Cordon("a", "GPU-1") == nil || v.CordonOf("a", "cpu").Drain {
		t.Errorf("drained as a whole: %v", c)
	}
	if got := told(v.Apply(at(0), fleet.Uncordoned{Agent: "a"})); got != "Changed{a uncordoned} Room{} Touch{match}" {
		t.Error(got)
	}
	if c := v.Cordon("a", "cpu"); c != nil {
		t.Errorf("opened: %v", c)
	}
}

// What an agent holds is what it names, with some patience for what it was told
// just now.
func TestSourcesHeld(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x"))
	heard := func(ms int, sources map[string]time.Duration) string {
		return told(v.Apply(at(ms), fleet.Heard{Agent: "a", Session: 1, Telemetry: fleet.Telemetry{Sources: sources}}))
	}
	v.Apply(at(0), fleet.HoldSent{Agent: "a", Job: "match"})
	if got := heard(500, nil); got != "Changed{a }" || len(v.Holding("match")) != 1 {
		t.Errorf("told just now: %s, held by %d", got, len(v.Holding("match")))
	}
	if got := heard(1000, map[string]time.Duration{"match": 900 * time.Millisecond}); got != "Changed{a }" {
		t.Error("less than a second:", got)
	}
	if got := heard(2000, map[string]time.Duration{"match": 1900 * time.Millisecond}); got != "Changed{a } Touch{match}" || v.Agent("a").Sources["match"].Kept != 1900*time.Millisecond {
		t.Error("a second more:", got)
	}
	if got := heard(9000, nil); got != "Changed{a } Touch{match}" || len(v.Holding("match")) != 0 {
		t.Error("no longer named:", got)
	}
}

// What an agent offers anew takes the place of what it offered; its jobs are looked
// at, and so are those that wait.
func TestOffersTakeThePlaceOfOthers(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	v.Apply(at(0), attached(1, "x", lease))
	cards := []fleet.Device{{ID: "cpu", Role: "encode"}, {ID: "GPU-1", Model: "L4", Role: "unusable", RoleReason: "it fell off the bus", Lost: true}}
	got := told(v.Apply(at(100), fleet.Offered{Agent: "a", Session: 1, Devices: cards}))
	want := "Changed{a device cpu () is encode: ; device GPU-1 (L4) is unusable: it fell off the bus} Room{} Touch{match}"
	if got != want {
		t.Errorf("%s", got)
	}
	if d := v.Agent("a").Device("GPU-1"); d == nil || !d.Lost || v.Agent("a").Device("GPU-2") != nil {
		t.Errorf("%v", d)
	}
	if got := told(v.Apply(at(200), fleet.Offered{Agent: "a", Session: 1, Devices: cards})); got != "Changed{a } Room{} Touch{match}" {
		t.Errorf("the same again: %s", got)
	}
	if got := told(v.Apply(at(300), fleet.Offered{Agent: "a", Session: 7})); got != "" || len(v.Agent("a").Devices) != 2 {
		t.Errorf("of another session: %s", got)
	}
}

// users-ask 2, 3 and 13: a refused session says how many a device holds, and with it
// all that share its limit, for a minute.
func TestARefusedSessionFillsTheDevice(t *testing.T) {
	v := fleet.New(fleet.DefaultTiming())
	hello := attached(1, "x")
	hello.Devices = []fleet.Device{
		{ID: "cpu"}, {ID: "l4"}, {ID: "g1", MaxSessions: 8, SessionsShared: true}, {ID: "g2", MaxSessions: 8, SessionsShared: true},
	}
	v.Apply(at(0), hello)
	grant := func(name, device string, sessions int) {
		v.Apply(at(100), fleet.Granted{Agent: "a", Assignment: name, Job: name, Device: device, Epoch: 1, Sessions: sessions})
	}
	refuse := func(name string) {
		v.Apply(at(200), fleet.Report{Agent: "a", Session: 1, Assignment: name, Job: name, Epoch: 1,
			Outcome: &media.Error{Code: media.SessionLimit, Message: "out of memory (10)"}})
	}
	grant("one", "g1", 3)
	grant("two", "g2", 2)
	grant("three", "l4", 4)
	grant("four", "g2", 2)
	refuse("four")
	for device, want := range map[string]int{"g1": 5, "g2": 5, "l4": -1, "cpu": -1} {
		r, full := v.Agent("a").Full[device]
		if full != (want >= 0) || full && (r.Sessions != want || r.Said != "out of memory (10)" || !r.At.Equal(at(200))) {
			t.Errorf("%s: %v %+v", device, full, r)
		}
	}
	v.Apply(at(300), fleet.Granted{Agent: "a", Assignment: "five", Job: "five", Device: "l4", Epoch: 1, Sessions: 1})
	refuse("five")
	if r := v.Agent("a").Full["l4"]; r.Sessions != 4 {
		t.Errorf("of its own: %+v", r)
	}
	again := attached(2, "x")
	again.Devices = hello.Devices
	v.Apply(at(400), again)
	if len(v.Agent("a").Full) != 3 {
		t.Errorf("forgotten with the stream: %v", v.Agent("a").Full)
	}
	for ms := 500; ms < 60_000; ms += 400 {
		v.Apply(at(ms), fleet.Beat{Agent: "a", Session: 2})
		v.Apply(at(ms), fleet.Tick{})
	}
	if len(v.Agent("a").Full) != 3 {
		t.Error("forgotten within a minute")
	}
	if got := told(v.Apply(at(60_300), fleet.Tick{})); got != "Changed{a } Room{}" || len(v.Agent("a").Full) != 0 {
		t.Errorf("after a minute: %s %v", got, v.Agent("a").Full)
	}
}
