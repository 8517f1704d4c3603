package verify

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/cmaf"
)

func TestReportTellsRulePlaceAndAdvice(t *testing.T) {
	f := vod()
	everyFragment("hi", 0, func(f *cmaf.Fragment) { f.Decode++ })(f, nil)
	r := judge(t, Options{Target: write(t, f.files(t))})
	var text, js strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FAIL tfdt (design §3 Ticks)", "hi/1.m4s: tfdt is 101; 1 × 100 is 100", "→ the worker counted", "n/a", "\nFAIL: "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if err := r.WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal([]byte(js.String()), &back); err != nil || back.OK() || len(back.Results) != len(Rules()) {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestManyFindingsAreCounted(t *testing.T) {
	b := newBook(Rules())
	for i := range 100 {
		b.broke("files", at("x").frame(i).byte(int64(i)), "number %d", i)
	}
	r := b.report("d", 0)
	res, _ := r.Result("files")
	if res.Broken != 100 || len(res.Findings) != keep {
		t.Errorf("%d broken, %d kept", res.Broken, len(res.Findings))
	}
	var text strings.Builder
	_ = r.WriteText(&text)
	if !strings.Contains(text.String(), "… and 92 more") || !strings.Contains(text.String(), "x frame 3 byte 3: number 3") {
		t.Error(text.String())
	}
}

func TestRulesAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.ID] || r.ID == "" || r.Clause == "" || r.Title == "" || r.Advice == "" || r.Level != Must && r.Level != Should {
			t.Errorf("%+v", r)
		}
		seen[r.ID] = true
	}
}

func TestIdenticalBytesAreSaid(t *testing.T) {
	dir := write(t, vod().files(t))
	r := judge(t, Options{Target: dir, Against: dir})
	if len(r.Notes) != 1 || r.Notes[0] != "identical bytes: 9 of 9 common segments" || !r.OK() {
		t.Errorf("%v", r.Notes)
	}
}

func FuzzPlaylist(f *testing.F) {
	for _, b := range vod().files(f) {
		if strings.HasPrefix(string(b), "#EXTM3U") {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parsePlaylist("v/media.m3u8", object{body: b})
		if err == nil && l.total() < 0 && len(l.entries) == 0 {
			t.Error("an empty playlist lasts")
		}
	})
}

func FuzzInit(f *testing.F) {
	for name, b := range vod().files(f) {
		if strings.Contains(name, "init-") {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseInit("init.mp4", b); err == nil {
			s.check(newBook(Rules()))
		}
	})
}
