package pull

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/timeline"
)

// isoInit is an init segment of a track without pictures.
func isoInit(t *testing.T, scale uint32) string {
	t.Helper()
	init := mp4.CreateEmptyInit()
	init.AddEmptyTrack(scale, "video", "und")
	var b bytes.Buffer
	if err := init.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// isoSkip is a box that nobody reads.
func isoSkip(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(text)))) + "skip" + text
}

// isoFragment has one sample of a tick for each composition offset.
func isoFragment(t *testing.T, at uint64, offsets ...int32) string {
	t.Helper()
	f, err := mp4.CreateFragment(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range offsets {
		f.AddFullSample(mp4.FullSample{Sample: mp4.NewSample(0, 1, 4, o), DecodeTime: at + uint64(i), Data: []byte("data")})
	}
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// shown are the presentation times of a segment, and whether an offset is
// negative. The data has to be where the boxes say.
func shown(t *testing.T, segment []byte) (times []int64, negative bool) {
	t.Helper()
	f, err := mp4.DecodeFile(bytes.NewReader(segment))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Segments {
		for _, fragment := range s.Fragments {
			all, err := fragment.GetFullSamples(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range all {
				if string(one.Data) != "data" {
					t.Errorf("data %q", one.Data)
				}
				times, negative = append(times, one.PresentationTime()), negative || one.CompositionTimeOffset < 0
			}
		}
	}
	return times, negative
}

// Times move to where the Period is, past 32 bits too; what is shown when does
// not depend on the sign of offsets.
func TestTimesMove(t *testing.T) {
	r, err := newRetimer([]byte(isoInit(t, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	p := place{start: 6e18 / 1e6 * 1e3, offset: 90, base: timeline.Timebase{Num: 1, Den: 90}} // 6e6 s, from second 1
	body := isoFragment(t, 2000, 0, 2, -1, -1) + isoSkip("x") + isoFragment(t, 2004, 0)
	got, err := r.move([]byte(body), r.ticks(p))
	if err != nil {
		t.Fatal(err)
	}
	times, negative := shown(t, got)
	want := []int64{6e9 + 1000, 6e9 + 1003, 6e9 + 1001, 6e9 + 1002, 6e9 + 1004}
	for i := range want {
		if len(times) != len(want) || times[i] != want[i] || negative {
			t.Fatalf("shown at %v (negative offsets: %v), want %v", times, negative, want)
		}
	}
	if same, err := (&retimer{scale: 1000}).move([]byte(isoFragment(t, 5, 0, 1)), 0); err != nil || string(same) != isoFragment(t, 5, 0, 1) {
		t.Errorf("what is right already changed (%v)", err)
	}
}

func TestDamagedBoxes(t *testing.T) {
	whole := isoFragment(t, 5, 0, 1)
	for _, text := range []string{"x", "\x00\x00\x00\x07moof", "\x00\x00\xff\xffmoofxxxx", whole[:40], "\x00\x00\x00\x10moof\x00\x00\x00\x09traf"} {
		if _, err := (&retimer{scale: 1}).move([]byte(text), 0); !errors.Is(err, errISO) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := newRetimer([]byte(whole)); !errors.Is(err, errISO) {
		t.Errorf("no init segment: %v", err)
	}
}

func FuzzMove(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10moof\x00\x00\x00\x08traf"), int64(1))
	f.Fuzz(func(_ *testing.T, body []byte, add int64) {
		_, _ = (&retimer{scale: 1}).move(body, add)
	})
}
