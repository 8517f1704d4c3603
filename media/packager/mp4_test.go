package packager_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/progressive"
	"github.com/galafarm/gala/media/publish"
)

// singled packages with one MP4 file wanted, and fails when its spool is left.
func singled(t *testing.T, spec media.Spec, sinks ...media.Sink) *packager.Packager {
	t.Helper()
	scratch := t.TempDir()
	spec.MP4 = []string{"v", "gone"}
	p, err := packager.New(packager.Options{Spec: spec, Sinks: sinks, Log: slog.New(slog.DiscardHandler), Now: time.Now, Scratch: scratch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Abort()
		if left, _ := os.ReadDir(scratch); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
	return p
}

func finished(t *testing.T, p *packager.Packager, from, to int64) {
	t.Helper()
	video, audio := clip(t)
	feed(t, p, "v", video, pictures(from, to, 25, 1))
	feed(t, p, "a", audio, sounds((from*1920+1023)/1024, to*15/8))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The file of a job that was taken over is that of one that was not.
func TestMP4OfASuccessor(t *testing.T) {
	whole, s := newMemory(), newMemory()
	finished(t, singled(t, twoSeconds(t), whole), 0, 190)
	crash(t, s, 3)
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 3
	finished(t, singled(t, spec, s), 150, 190)
	if whole.text("v.mp4") != s.text("v.mp4") || whole.has("gone.mp4") {
		t.Error("the two differ")
	}
	tracks, err := progressive.Read(strings.NewReader(s.text("v.mp4")))
	if err != nil {
		t.Fatal(err)
	}
	frames := []int64{tracks[0].Samples, tracks[0].Lasts / spec.Grid.FrameTicks(), tracks[1].Samples}
	if diff := cmp.Diff([]int64{190, 190, 356}, frames); diff != "" {
		t.Error(diff)
	}
}

// Two decoder configurations are no file, and no failure.
func TestMP4OfTwoConfigurations(t *testing.T) {
	s := newMemory()
	crash(t, s, 3)
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 3
	p := singled(t, spec, s)
	video, audio := clip(t)
	video.Config.SARNum, video.Config.SARDen = 4, 3
	feed(t, p, "v", video, pictures(150, 190, 25, 1))
	feed(t, p, "a", audio, sounds(282, 356))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.has("v.mp4") || !s.has(manifestName) {
		t.Errorf("objects: %v", s.names(""))
	}
}

// An output that takes PUT only gets the file from the other one.
func TestMP4OfAnOutputThatTakesPutOnly(t *testing.T) {
	mute, s := newMemory(), newMemory()
	mute.setGate(putOnly)
	spec := twoSeconds(t)
	spec.Outputs = append(spec.Outputs, "second")
	finished(t, singled(t, spec, mute, s), 0, 90)
	if !s.has("v.mp4") || mute.text("v.mp4") != s.text("v.mp4") {
		t.Error("the two differ")
	}
}

// An output that breaks off half-way leaves nothing of itself in the file.
func TestMP4OfAnOutputThatForgets(t *testing.T) {
	torn, s := newMemory(), newMemory()
	torn.setGate(func(_ context.Context, op, path string) error {
		if op == "get" && path == "v/1.m4s" {
			return media.ErrNotFound
		}
		return nil
	})
	spec := twoSeconds(t)
	spec.Outputs = append(spec.Outputs, "second")
	finished(t, singled(t, spec, torn, s), 0, 90)
	whole := newMemory()
	finished(t, singled(t, twoSeconds(t), whole), 0, 90)
	if !whole.has("v.mp4") || torn.text("v.mp4") != whole.text("v.mp4") {
		t.Error("the two differ")
	}
}

// A clip whose file is refused is not done, even when the refusal is one that
// reading could give: the output that refused says so.
func TestMP4Refused(t *testing.T) {
	for _, code := range []int{403, 404, 405} {
		s, deaf := newMemory(), newMemory()
		deaf.setGate(func(_ context.Context, op, path string) error {
			if op == "put" && path == "v.mp4" {
				return publish.Status{Code: code}
			}
			return nil
		})
		spec := twoSeconds(t)
		spec.Outputs = append(spec.Outputs, "second")
		p := singled(t, spec, s, deaf)
		video, audio := clip(t)
		feed(t, p, "v", video, pictures(0, 90, 25, 1))
		feed(t, p, "a", audio, sounds(0, 90*15/8))
		err := p.Finish(t.Context())
		if me, ok := errors.AsType[*media.Error](err); !ok || me.Code != media.SinkError || !strings.Contains(err.Error(), "second: v.mp4") {
			t.Errorf("%d: %v", code, err)
		}
	}
}
