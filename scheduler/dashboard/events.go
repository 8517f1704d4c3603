package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// events is the stream behind the page. Its events:
//
//	snapshot  {"now":TIME,"jobs":[Job…],"agents":[AgentView…]}   replaces everything
//	job       Job                                                replaces one job
//	agents    [AgentView…]                                       replaces the fleet
//	beat      {"now":TIME}                                       the farm is there
//
// Messages are in the JSON form of the protobuf types. The farm's time lets the
// page tell ages by the clock that stamped them.
type events struct {
	source Source
	opt    Options
}

// writeLimit is how long a browser may take one event; one that has gone to
// sleep is dropped and starts anew when it wakes.
const writeLimit = 10 * time.Second

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &stream{w: w, control: http.NewResponseController(w)}
	// The subscription comes before the snapshot: a change between the two is
	// then seen twice, which is harmless, and never lost.
	changes, err := e.source.Subscribe(r.Context())
	if err != nil {
		http.Error(w, "the farm's state cannot be read now; the page tries again", http.StatusServiceUnavailable)
		return
	}
	view, err := e.source.Snapshot(r.Context())
	if err != nil {
		http.Error(w, "the farm's state cannot be read now; the page tries again", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if err := out.send("snapshot", viewJSON(e.opt.Now(), view)); err != nil {
		return
	}
	if err := e.follow(r.Context(), out, changes); err != nil {
		e.opt.Log.Debug("page stream ended", "error", err)
	}
}

// follow merges changes for an interval and sends what is left of them.
func (e *events) follow(ctx context.Context, out *stream, changes <-chan Change) error {
	pending := newPending()
	flush := time.NewTicker(e.opt.Interval)
	defer flush.Stop()
	beat := time.NewTicker(e.opt.Beat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c, ok := <-changes:
			if !ok {
				return nil
			}
			pending.add(c)
		case <-flush.C:
			if err := pending.send(out); err != nil {
				return err
			}
		case <-beat.C:
			if err := out.send("beat", fmt.Appendf(nil, `{"now":%s}`, timeJSON(e.opt.Now()))); err != nil {
				return err
			}
		}
	}
}

// pending is what changed since the last flush, each job once.
type pending struct {
	order  []string
	jobs   map[string]*galav1.Job
	agents []*galav1.AgentView
}

func newPending() *pending { return &pending{jobs: map[string]*galav1.Job{}} }

func (p *pending) add(c Change) {
	if c.Agents != nil {
		p.agents = c.Agents
	}
	if c.Job == nil {
		return
	}
	id := c.Job.GetSpec().GetId()
	before, seen := p.jobs[id]
	if !seen {
		p.order = append(p.order, id)
	}
	if !seen || c.Job.GetRevision() >= before.GetRevision() {
		p.jobs[id] = c.Job
	}
}

func (p *pending) send(out *stream) error {
	for _, id := range p.order {
		if err := out.send("job", messageJSON(p.jobs[id])); err != nil {
			return err
		}
	}
	if p.agents != nil {
		if err := out.send("agents", listJSON(p.agents)); err != nil {
			return err
		}
	}
	*p = pending{order: slices.Delete(p.order, 0, len(p.order)), jobs: p.jobs}
	clear(p.jobs)
	return nil
}

// stream writes server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s *stream) send(event string, data []byte) error {
	// Not supported by a test's recorder, which cannot stall either.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return s.control.Flush()
}

func viewJSON(now time.Time, v View) []byte {
	return fmt.Appendf(nil, `{"now":%s,"jobs":%s,"agents":%s}`, timeJSON(now), listJSON(worthShowing(v.Jobs)), listJSON(v.Agents))
}

// maxEnded bounds what a page is told of the past: a farm keeps thousands of
// ended jobs, and the command line lists them.
const maxEnded = 100

// worthShowing is every active job and the newest ended ones.
func worthShowing(jobs []*galav1.Job) []*galav1.Job {
	var active, ended []*galav1.Job
	for _, j := range jobs {
		switch j.GetState() {
		case galav1.JobState_JOB_STATE_DONE, galav1.JobState_JOB_STATE_FAILED, galav1.JobState_JOB_STATE_CANCELLED:
			ended = append(ended, j)
		default:
			active = append(active, j)
		}
	}
	slices.SortStableFunc(ended, func(a, b *galav1.Job) int {
		return b.GetEndedAt().AsTime().Compare(a.GetEndedAt().AsTime())
	})
	return append(active, ended[:min(len(ended), maxEnded)]...)
}

func timeJSON(t time.Time) string { return t.UTC().Format(`"2006-01-02T15:04:05.000Z07:00"`) }

func listJSON[M proto.Message](list []M) []byte {
	parts := make([][]byte, len(list))
	for i, m := range list {
		parts[i] = messageJSON(m)
	}
	return slices.Concat([]byte("["), bytes.Join(parts, []byte(",")), []byte("]"))
}

// messageJSON is one line, as an event must be. A message of ours that cannot
// be written is a fault in the program; the page then shows nothing for it.
func messageJSON(m proto.Message) []byte {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return []byte("null")
	}
	return text
}
