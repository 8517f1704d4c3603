package link

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func newOutbox() *Outbox { return NewOutbox(slog.New(slog.DiscardHandler)) }

func report(assignment string, epoch uint64, frames int64, code galav1.OutcomeCode) *galav1.AssignmentReport {
	r := &galav1.AssignmentReport{Assignment: assignment, Epoch: epoch, Status: &galav1.WorkerStatus{FramesDecoded: frames}}
	if code != 0 {
		r.Outcome = &galav1.Outcome{Code: code}
	}
	return r
}

const finished = galav1.OutcomeCode_OUTCOME_CODE_FINISHED

// said are messages in one line each, in order.
func said(messages []*galav1.AttachRequest) string {
	var lines []string
	for _, m := range messages {
		lines = append(lines, line(m))
	}
	return strings.Join(lines, ", ")
}

func line(m *galav1.AttachRequest) string {
	switch m := m.GetMessage().(type) {
	case *galav1.AttachRequest_Hello:
		return fmt.Sprint("hello holding ", len(m.Hello.GetHeld()))
	case *galav1.AttachRequest_Beat:
		return fmt.Sprint("beat ", m.Beat.GetSequence())
	case *galav1.AttachRequest_Report:
		if m.Report.GetOutcome() != nil {
			return "outcome " + m.Report.GetAssignment()
		}
		return fmt.Sprint("status ", m.Report.GetAssignment(), " ", m.Report.GetStatus().GetFramesDecoded())
	case *galav1.AttachRequest_Anchor:
		return "proposal " + m.Anchor.GetAssignment()
	case *galav1.AttachRequest_Probe:
		return "probe " + m.Probe.GetId()
	case *galav1.AttachRequest_Offers:
		return fmt.Sprint("offers ", len(m.Offers.GetDevices()))
	default:
		return "telemetry"
	}
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: said %q, want %q", what, got, want)
	}
}

func TestStatusesCoalesce(t *testing.T) {
	o := newOutbox()
	for n := range int64(100) {
		o.Report(report("a", 1, n, 0))
		o.Telemetry(&galav1.Telemetry{})
	}
	expect(t, "first flush", said(o.routine(1)), "status a 99, telemetry")
	expect(t, "nothing new", said(o.routine(1)), "")
	o.reopen()
	expect(t, "a new stream", said(o.routine(2)), "status a 99")
}

func TestOutcomesWaitForTheirAcknowledgement(t *testing.T) {
	o := newOutbox()
	o.Report(report("a", 1, 5, 0))
	o.Report(report("a", 1, 9, finished))
	expect(t, "no status after the outcome", said(o.routine(1)), "")
	expect(t, "outcome", said(o.urgent(1)), "outcome a")
	expect(t, "not twice on one stream", said(o.urgent(2)), "")
	o.reopen()
	expect(t, "again on the next", said(o.urgent(7)), "outcome a")
	if got := o.acknowledge(6); got != nil || !o.owes() {
		t.Errorf("an older beat acknowledged %v", got)
	}
	if got := o.acknowledge(7); !slices.Equal(got, []run{{"a", 1}}) || o.owes() {
		t.Errorf("acknowledged %v", got)
	}
}

func TestProposalsWaitForTheirDecision(t *testing.T) {
	o := newOutbox()
	o.Propose(&galav1.AnchorProposal{Assignment: "a", Epoch: 1})
	o.Propose(&galav1.AnchorProposal{Assignment: "a", Epoch: 1})
	expect(t, "one proposal", said(o.urgent(1)), "proposal a")
	o.acknowledge(1)
	o.reopen()
	expect(t, "still undecided", said(o.urgent(2)), "proposal a")
	o.decided("a")
	o.reopen()
	expect(t, "decided", said(o.urgent(3)), "")
	o.Propose(&galav1.AnchorProposal{Assignment: "b", Epoch: 1})
	o.Report(report("b", 1, 0, finished))
	expect(t, "the worker is gone", said(o.urgent(4)), "outcome b")
}

func TestOutboxIsBounded(t *testing.T) {
	o := newOutbox()
	for n := range 3 * maxOutcomes {
		id := fmt.Sprint(n)
		o.Report(report(id, 1, 0, 0))
		o.Propose(&galav1.AnchorProposal{Assignment: id, Epoch: 1})
		o.Probed(&galav1.ProbeResult{Id: id})
	}
	for n := range 3 * maxOutcomes {
		o.Report(report(fmt.Sprint(n), 1, 0, finished))
	}
	if len(o.outcomes) > maxOutcomes || len(o.proposals) > maxProposals || len(o.probes) > maxProbes || len(o.statuses) > maxRuns {
		t.Errorf("%d outcomes, %d proposals, %d probes, %d statuses", len(o.outcomes), len(o.proposals), len(o.probes), len(o.statuses))
	}
	if last := line(o.outcomes[len(o.outcomes)-1].message); last != fmt.Sprint("outcome ", 3*maxOutcomes-1) {
		t.Errorf("the newest was dropped: %s", last)
	}
}

// Only the newest offers are told, once; what came while no stream stood is told too,
// for a Hello may have been composed before.
func TestOffersAreToldOnce(t *testing.T) {
	o := newOutbox()
	o.Offers([]*galav1.DeviceOffer{{Id: "cpu"}})
	o.Offers([]*galav1.DeviceOffer{{Id: "cpu"}, {Id: "GPU-1"}})
	o.reopen()
	expect(t, "after a new stream", said(o.urgent(1)), "offers 2")
	expect(t, "again", said(o.urgent(2)), "")
	o.reopen()
	expect(t, "on the next stream, whose Hello has them", said(o.urgent(3)), "")
}
