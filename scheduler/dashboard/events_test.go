package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// reader reads server-sent events.
type reader struct {
	t     *testing.T
	lines *bufio.Scanner
	body  io.Closer
}

func readEvents(t *testing.T, url string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+PathEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); res.Body.Close() })
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("content type %q", got)
	}
	r := &reader{t: t, lines: bufio.NewScanner(res.Body), body: res.Body}
	r.lines.Buffer(nil, 1<<20)
	return r
}

// next is the next event that is not a beat; "" at the end of the stream.
func (r *reader) next() (event, data string) {
	r.t.Helper()
	for r.lines.Scan() {
		line := r.lines.Text()
		if text, ok := strings.CutPrefix(line, "event: "); ok {
			event = text
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			data = text
		}
		if line == "" && event != "beat" {
			return event, data
		}
	}
	return "", ""
}

func (r *reader) want(event string) string {
	r.t.Helper()
	got, data := r.next()
	if got != event {
		r.t.Fatalf("event %q %s, want %q", got, data, event)
	}
	return data
}

func (r *reader) wantJob(id, reason string) {
	r.t.Helper()
	var j galav1.Job
	if err := protojson.Unmarshal([]byte(r.want("job")), &j); err != nil {
		r.t.Fatal(err)
	}
	if j.GetSpec().GetId() != id || j.GetReason() != reason {
		r.t.Errorf("job %s %q, want %s %q", j.GetSpec().GetId(), j.GetReason(), id, reason)
	}
}

func fast() Options {
	return Options{Interval: 20 * time.Millisecond, Beat: time.Hour, Now: noon}
}

func TestStreamStartsWithEverything(t *testing.T) {
	f := newFakeSource(View{Jobs: []*galav1.Job{job("a", 3, "fine")}, Agents: []*galav1.AgentView{{Name: "host-1"}}})
	r := readEvents(t, serveFake(t, f, fast()).URL)
	var v struct {
		Now    time.Time
		Jobs   []json.RawMessage
		Agents []json.RawMessage
	}
	if err := json.Unmarshal([]byte(r.want("snapshot")), &v); err != nil {
		t.Fatal(err)
	}
	if !v.Now.Equal(noon()) || len(v.Jobs) != 1 || len(v.Agents) != 1 {
		t.Errorf("snapshot %+v", v)
	}
	// A change between the two calls must be in one of them, at least.
	if want := []string{"subscribe", "snapshot"}; !slices.Equal(f.calls, want) {
		t.Errorf("calls %v, want %v", f.calls, want)
	}
}

func TestEmptyFarmIsAnEmptySnapshot(t *testing.T) {
	r := readEvents(t, serveFake(t, newFakeSource(View{}), fast()).URL)
	if got, want := r.want("snapshot"), `{"now":"2026-06-01T12:00:00.000Z","jobs":[],"agents":[]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestChangesFollow(t *testing.T) {
	f := newFakeSource(View{})
	r := readEvents(t, serveFake(t, f, fast()).URL)
	r.want("snapshot")
	f.changes <- Change{Job: job("a", 1, "starting")}
	r.wantJob("a", "starting")
	f.changes <- Change{Agents: []*galav1.AgentView{{Name: "host-1"}}}
	if got := r.want("agents"); !strings.Contains(got, "host-1") {
		t.Errorf("agents %s", got)
	}
	f.changes <- Change{Agents: []*galav1.AgentView{}}
	if got := r.want("agents"); got != "[]" {
		t.Errorf("agents %s, want none", got)
	}
}

// A farm remembers more jobs than a page can use.
func TestOldEndedJobsAreLeftOut(t *testing.T) {
	var jobs []*galav1.Job
	for i := range 3 * maxEnded {
		j := job(fmt.Sprint("ended-", i), 1, "")
		j.State, j.EndedAt = galav1.JobState_JOB_STATE_DONE, timestamppb.New(noon().Add(time.Duration(i)*time.Second))
		jobs = append(jobs, j, job(fmt.Sprint("active-", i), 1, ""))
	}
	got := worthShowing(jobs)
	if len(got) != 4*maxEnded {
		t.Fatalf("%d jobs, want every active one and %d ended ones", len(got), maxEnded)
	}
	if newest := got[3*maxEnded].GetSpec().GetId(); newest != "ended-299" {
		t.Errorf("the first ended job is %s, want the newest", newest)
	}
}

// Between two flushes a job is sent once, in its highest revision.
func TestChangesAreMerged(t *testing.T) {
	f := newFakeSource(View{})
	for _, c := range []Change{
		{Job: job("a", 2, "two")}, {Job: job("b", 1, "other")}, {Job: job("a", 4, "four")}, {Job: job("a", 3, "late news")},
	} {
		f.changes <- c
	}
	r := readEvents(t, serveFake(t, f, fast()).URL)
	r.want("snapshot")
	r.wantJob("a", "four")
	r.wantJob("b", "other")
	f.changes <- Change{Job: job("b", 2, "after")}
	r.wantJob("b", "after")
}

// A page that lost its connection asks again and gets everything anew.
func TestReconnectStartsAnew(t *testing.T) {
	f := newFakeSource(View{Jobs: []*galav1.Job{job("a", 1, "")}})
	server := serveFake(t, f, fast())
	r := readEvents(t, server.URL)
	r.want("snapshot")
	close(f.changes) // the source drops a subscriber that is too slow
	if event, _ := r.next(); event != "" {
		t.Fatalf("event %q after the end", event)
	}
	f.mu.Lock()
	f.view.Jobs = append(f.view.Jobs, job("b", 1, ""))
	f.changes = make(chan Change)
	f.mu.Unlock()
	if got := readEvents(t, server.URL).want("snapshot"); !strings.Contains(got, `"b"`) {
		t.Errorf("snapshot %s lacks what is new", got)
	}
}

func TestQuietStreamBeats(t *testing.T) {
	opt := fast()
	opt.Beat = 20 * time.Millisecond
	r := readEvents(t, serveFake(t, newFakeSource(View{}), opt).URL)
	r.want("snapshot")
	for r.lines.Scan() {
		if r.lines.Text() == "event: beat" {
			break
		}
	}
	r.lines.Scan()
	if got, want := r.lines.Text(), `data: {"now":"2026-06-01T12:00:00.000Z"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSourceThatFailsIsSaid(t *testing.T) {
	for _, call := range []string{"subscribe", "snapshot"} {
		f := newFakeSource(View{})
		f.refuse = call
		res, err := http.Get(serveFake(t, f, fast()).URL + PathEvents)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "tries again") {
			t.Errorf("%s fails: %s %q", call, res.Status, body)
		}
	}
}

// A reason may hold anything; an event is still one line.
func TestEventIsOneLine(t *testing.T) {
	data := messageJSON(job("a", 1, "two\nlines\r\nand \u2028 a third"))
	if strings.ContainsAny(string(data), "\r\n") {
		t.Errorf("data has a line break: %q", data)
	}
	var back galav1.Job
	if err := protojson.Unmarshal(data, &back); err != nil || back.GetReason() != "two\nlines\r\nand \u2028 a third" {
		t.Errorf("reads back as %q (%v)", back.GetReason(), err)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	var jobs []*galav1.Job
	for i := range 500 {
		j := job(fmt.Sprint("job-", i), 1, "All 6 renditions are on time.")
		for r := range 6 {
			j.Renditions = append(j.Renditions, &galav1.RenditionStatus{Rendition: &galav1.Rendition{Name: fmt.Sprint(r)}, Frames: 1000})
		}
		jobs = append(jobs, j)
	}
	for b.Loop() {
		viewJSON(noon(), View{Jobs: jobs})
	}
}
