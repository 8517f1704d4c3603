package verify

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/dash"
)

// lapsed is a live tree of six segments of two seconds: from the middle of the second
// to that of the third it has no programme, and from the middle of the last one on.
func lapsed() *fixture {
	f := onAir()
	const per = 100 // frames of a segment
	f.lapses = []dash.Lapse{{From: (f.first+1)*per + 50, To: (f.first+2)*per + 50}, {From: (f.first+5)*per + 50, To: math.MaxInt64}}
	f.slate = map[int64]bool{f.first + 1: true, f.first + 2: true, f.first + 5: true}
	when := func(frame int64) string {
		return time.UnixMilli(frame * 20).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	var tags string
	for _, x := range f.lapses {
		tags += fmt.Sprintf("#EXT-X-DATERANGE:ID=\"slate-%d\",CLASS=\"com.gala.slate\",START-DATE=%q", x.From, when(x.From))
		if x.To != math.MaxInt64 {
			tags += fmt.Sprintf(",END-DATE=%q", when(x.To))
		}
		tags += "\n"
	}
	f.text = func(p, s string) string {
		if !strings.HasSuffix(p, "media.m3u8") {
			return s
		}
		return strings.Replace(s, "#EXT-X-MAP", tags+"#EXT-X-MAP", 1)
	}
	return f
}

func TestLapses(t *testing.T) {
	f := lapsed()
	r := judge(t, Options{Target: write(t, f.files(t))})
	for _, id := range []string{"brands", "dash-lapses"} {
		if res, _ := r.Result(id); res.Status != Pass {
			t.Errorf("%s: %+v", id, res)
		}
	}
	change := func(path, old, new string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			if !strings.Contains(string(files[path]), old) {
				t.Fatalf("%s has no %s:\n%s", path, old, files[path])
			}
			files[path] = []byte(strings.Replace(string(files[path]), old, new, 1))
		}
	}
	first := f.lapses[0]
	event := fmt.Sprintf(`presentationTime="%d" duration="100" id="%d"`, first.From, first.From)
	last := fmt.Sprintf("hi/%d.m4s", f.first+5)
	for _, c := range []struct {
		name, rule string
		change     func(map[string][]byte)
	}{
		{"a filled segment without the brand", "brands", change(fmt.Sprintf("hi/%d.m4s", f.first+1), "slat", "cmf2")},
		{"a filled segment of sound without the brand", "brands", change(fmt.Sprintf("audio/%d.m4s", f.first+2), "slat", "cmf2")},
		{"a brand where nothing is marked", "brands", change("lo/media.m3u8", "com.gala.slate", "com.other")},
		{"a last one in the middle", "brands", change(fmt.Sprintf("hi/%d.m4s", f.first+1), "slat", "lmsg")},
		{"no events", "dash-lapses", change(manifestName, dash.LapseScheme, "urn:other")},
		{"an event that is elsewhere", "dash-lapses", change(manifestName, event, fmt.Sprintf(`presentationTime="%d" duration="100" id="%d"`, first.From+1, first.From))},
		{"an event that is longer", "dash-lapses", change(manifestName, event, fmt.Sprintf(`presentationTime="%d" duration="101" id="%d"`, first.From, first.From))},
		{"an event that lasts", "dash-lapses", change(manifestName, event, fmt.Sprintf(`presentationTime="%d" id="%d"`, first.From, first.From))},
		{"another event", "dash-lapses", change(manifestName, event, fmt.Sprintf(`presentationTime="%d" duration="100" id="%d"`, first.From, first.From+1))},
		{"an event without an id", "dash-lapses", change(manifestName, fmt.Sprintf(`duration="100" id="%d"`, first.From), `duration="100"`)},
	} {
		files := lapsed().files(t)
		c.change(files)
		if res, _ := judge(t, Options{Target: write(t, files)}).Result(c.rule); res.Status != Fail && res.Status != Warn {
			t.Errorf("%s: %+v", c.name, res)
		}
	}
	files := lapsed().files(t)
	files[last] = brand(t, files[last], cmaf.Segment.Last)
	if res, _ := judge(t, Options{Target: write(t, files)}).Result("brands"); res.Status != Pass {
		t.Errorf("the last segment says so: %+v", res)
	}
}

func brand(t testing.TB, body []byte, with func(cmaf.Segment) (cmaf.Segment, error)) []byte {
	t.Helper()
	s, err := with(cmaf.Segment{Bytes: body})
	if err != nil {
		t.Fatal(err)
	}
	return s.Bytes
}
