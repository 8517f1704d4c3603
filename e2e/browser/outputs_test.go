package browser

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/dashboard"
)

// taker is an output of a job on air.
func taker(url string, state galav1.OutputState, behind, lost int64) *galav1.OutputStatus {
	o := &galav1.OutputStatus{Url: url, State: state, LastSegment: 892_114_213 - behind, LastSegmentAt: ago(time.Duration(behind)*2*time.Second + 900*time.Millisecond),
		Behind: behind, Lost: lost, Bytes: (400 - behind) * 3_100_000}
	switch state {
	case galav1.OutputState_OUTPUT_STATE_TROUBLE:
		o.TroubleSince, o.Cause = ago(time.Duration(behind)*2*time.Second), "PUT "+url+"/720p/892114213.m4s: 503 Service Unavailable"
	case galav1.OutputState_OUTPUT_STATE_STARTING:
		o.LastSegment, o.LastSegmentAt, o.Bytes = -1, nil, 0
	}
	return o
}

// A job's page shows how each output fares: one in a line, two hundred by state, the
// worst first, and those that are well out of the way until somebody looks.
func TestOutputsAreShown(t *testing.T) {
	const well, trouble, starting = galav1.OutputState_OUTPUT_STATE_WELL, galav1.OutputState_OUTPUT_STATE_TROUBLE, galav1.OutputState_OUTPUT_STATE_STARTING
	one, many := onAir(), onAir()
	one.Spec.Id = "one"
	one.OutputStates = []*galav1.OutputStatus{taker("http://127.0.0.1:8080/origin/one", well, 0, 0)}
	many.Spec.Id = "many"
	for i := range 200 {
		state, behind, lost := well, int64(0), int64(0)
		switch {
		case i%50 == 7:
			state, behind, lost = trouble, int64(3+i/10), int64(i/4)
		case i%100 == 60:
			state = starting
		}
		many.Spec.Destinations = append(many.Spec.Destinations, fmt.Sprintf("https://taker-%03d.example/live/many", i))
		many.OutputStates = append(many.OutputStates, taker(many.Spec.Destinations[i], state, behind, lost))
		many.Outputs = append(many.Outputs, many.Spec.Destinations[i]+"/master.m3u8")
	}
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{one, many}, Agents: agents()})
	b := startBrowser(t)
	for _, c := range []struct {
		job  string
		want map[string]string
	}{
		{"one", map[string]string{
			"one line":  `document.querySelectorAll("#outputs .taker.ok").length === 1`,
			"its state": `/well.*segment 892114213, \d\.\d s ago.*1\.2 GB/.test(document.querySelector("#outputs .taker")?.textContent)`,
		}},
		{"many", map[string]string{
			"every state":             `document.querySelector(".taker-sum")?.textContent === "4 in trouble2 starting194 well"`,
			"the worst first":         `document.querySelector("#outputs .taker code")?.textContent === "https://taker-157.example/live/many"`,
			"by how much":             `/18 behind.*39 lost.*1\.2 GB.*503 Service Unavailable/.test(document.querySelector("#outputs .taker")?.textContent)`,
			"the last error":          `document.querySelectorAll("#outputs .cause").length === 4`,
			"the well ones folded":    `[...document.querySelectorAll("#outputs details")].map((d) => d.open).join() === "true,true,false"`,
			"all of them":             `document.querySelectorAll("#outputs .taker").length === 200`,
			"a page that stays short": `document.querySelector("#outputs").offsetHeight < 1100`,
		}},
	} {
		p := open(t, b, f.URL+"/?job="+c.job, desktop)
		ctx := within(t, 20*time.Second)
		for what, expression := range c.want {
			if err := p.WaitEval(ctx, c.job+": "+what, expression); err != nil {
				t.Error(err)
			}
		}
		shootAll(t, p, "outputs-"+c.job)
		wantFit(t, p)
		if c.job != "many" {
			continue
		}
		// What a reader opens stays open when the page is drawn anew.
		if err := p.Click("#outputs details:last-of-type summary"); err != nil {
			t.Fatal(err)
		}
		again := proto.CloneOf(many)
		again.OutputStates[0].Bytes++
		f.put(again)
		if err := p.WaitEval(ctx, "what was opened", `document.querySelector("#outputs details:last-of-type")?.open`); err != nil {
			t.Error(err)
		}
		shootAll(t, p, "outputs-many-open")
	}
}
