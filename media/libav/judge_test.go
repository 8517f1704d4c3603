package libav

import (
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// judgedPicture is a picture of one level of luma, with a pattern of another in it.
func judgedPicture(t *testing.T, level, pattern byte) *astiav.Frame {
	t.Helper()
	f, err := drawSlate(media.Spec{Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1), Renditions: []ladders.Rendition{small("v")}, Slate: media.Slate{Text: " "}})
	if err != nil {
		t.Fatal(err)
	}
	img := yuv(f)
	for i := range img.Y {
		img.Y[i] = level
		if i%7 == 0 {
			img.Y[i] = pattern
		}
	}
	return f
}

func TestJudgesPictures(t *testing.T) {
	const second = 1_000_000
	for _, tt := range []struct {
		name string
		loss media.Loss
		at   func(second int64) (level, pattern byte)
		want string
	}{
		{"black", media.Loss{Black: 3 * time.Second, Freeze: time.Minute}, func(int64) (byte, byte) { return 16, 17 }, "black"},
		{"black with a caption", media.Loss{Black: 3 * time.Second}, func(int64) (byte, byte) { return 16, 200 }, ""},
		{"dark but moving", media.Loss{Black: 3 * time.Second, Freeze: 3 * time.Second}, func(s int64) (byte, byte) { return byte(40 + 10*(s%2)), 60 }, ""},
		{"standing", media.Loss{Freeze: 3 * time.Second}, func(int64) (byte, byte) { return 90, 120 }, "stood"},
		{"not asked for", media.Loss{}, func(int64) (byte, byte) { return 16, 16 }, ""},
		{"black for too short", media.Loss{Black: 3 * time.Second}, func(s int64) (byte, byte) { return byte(16 + 100*(s/2%2)), 16 }, ""},
	} {
		j, got := judge{loss: tt.loss}, ""
		for us := int64(0); us < 8*second; us += 40_000 {
			level, pattern := tt.at(us / second)
			f := judgedPicture(t, level, pattern)
			if wrong := j.picture(f, us); wrong != "" && got == "" {
				got = wrong
				if us < 3*second || us > 3*second+second/2 {
					t.Errorf("%s: found after %d ms", tt.name, us/1000)
				}
			}
			f.Free()
		}
		if tt.want == "" && got != "" || tt.want != "" && !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// levelFrame is a frame of sound of one level.
func levelFrame(t *testing.T, level float32, at int64) *astiav.Frame {
	t.Helper()
	f := astiav.AllocFrame()
	f.SetSampleFormat(astiav.SampleFormatFlt)
	f.SetChannelLayout(astiav.ChannelLayoutMono)
	f.SetSampleRate(48000)
	f.SetNbSamples(1024)
	f.SetPts(at)
	samples := make([]float32, 1024)
	for i := range samples {
		samples[i] = level
	}
	if err := f.AllocBuffer(0); err != nil {
		t.Fatal(err)
	}
	if err := f.Data().SetBytes(floatBytes(samples), 1); err != nil {
		t.Fatal(err)
	}
	return f
}

// All tracks have to be silent.
func TestJudgesSound(t *testing.T) {
	base := timeline.Timebase{Num: 1, Den: 48000}
	for _, tt := range []struct {
		name  string
		other float32
		want  bool
	}{{"silent", 0.0001, true}, {"one track speaks", 0.1, false}} {
		j, found := judge{loss: media.Loss{Silence: 2 * time.Second}}, false
		for at := int64(0); at < 4*48000; at += 1024 {
			for track, level := range []float32{0, tt.other} {
				f := levelFrame(t, level, at)
				found = j.sound(track, f, base) != "" || found
				f.Free()
			}
		}
		if found != tt.want {
			t.Errorf("%s: found %v", tt.name, found)
		}
	}
}

// An input that shows nothing worth seeing is left for another one, when the job
// asks for that.
func TestFrozenInputIsLeft(t *testing.T) {
	t.Parallel()
	a, _, inputs := twoStations(t)
	spec := stationSpec(t)
	spec.Loss.Freeze = 1500 * time.Millisecond
	s := startShow(t, Options{Spec: spec, Inputs: inputs})
	s.runs(40)
	a.freeze()
	s.awaitEvent("input_switched", 1)
	s.runs(30)
	s.stop()
	st := s.p.Status().Source
	if last := st.Events[len(st.Events)-1]; st.Input != 1 || !strings.Contains(last.Cause, "stood for") {
		t.Errorf("%+v", st)
	}
}
