package libav

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// A clip that is still being written is encoded as it grows, and comes out as
// it does when it is whole. Its second half is written when a frame of the
// first has come out, and not before.
func TestGrowingClip(t *testing.T) {
	for _, name := range []string{"clip.mkv", "fragments.mp4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := longClipFile(t, name)
			facts, err := Probe(t.Context(), whole, anything)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := play(t, Options{Spec: clipSpec(t, whole, facts)})
			body := read(t, whole)
			part := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(part, body[:2*len(body)/3], 0o600); err != nil {
				t.Fatal(err)
			}
			out := newCollector()
			grown := make(chan struct{})
			rest := sync.OnceValue(func() error {
				defer close(grown)
				return appendTo(part, body[2*len(body)/3:])
			})
			out.on = func(string, media.Packet) error { return rest() }
			rules := input.Rules{Patterns: anything.Patterns, Pause: until(grown)}
			play(t, Options{Spec: clipSpec(t, "file://"+part+"#growing", facts), Rules: rules, Output: out})
			wantBytes(t, want, out)
		})
	}
}

// until is a pause that lasts until a source has grown, and no time from then on.
func until(grown <-chan struct{}) func(context.Context, time.Duration) error {
	return func(ctx context.Context, _ time.Duration) error {
		select {
		case <-grown:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A look at a clip that has just begun says what there is so far.
func TestProbeOfAGrowingClip(t *testing.T) {
	body := read(t, longClipFile(t, "begun.mkv"))
	part := filepath.Join(t.TempDir(), "begun.mkv")
	if err := os.WriteFile(part, body[:len(body)/8], 0o600); err != nil {
		t.Fatal(err)
	}
	var waited time.Duration
	rules := input.Rules{Patterns: anything.Patterns, Pause: func(_ context.Context, d time.Duration) error { waited += d; return nil }}
	facts, err := Probe(t.Context(), "file://"+part+"#growing=45s", rules)
	if err != nil || len(facts.Video) != 1 || len(facts.Audio) != 1 || waited > 2*time.Second {
		t.Errorf("%d pictures and %d sounds, %v, after %v", len(facts.Video), len(facts.Audio), err, waited)
	}
}

// A track that has not begun yet is not left out for that.
func TestProbeOfAClipThatHasOnlyBegun(t *testing.T) {
	part := filepath.Join(t.TempDir(), "begun.ts")
	if err := os.WriteFile(part, read(t, filepath.Join(mediaDir(t), "sintel_cea608_170p24.ts"))[:2000], 0o600); err != nil {
		t.Fatal(err)
	}
	rules := input.Rules{Patterns: anything.Patterns, Pause: func(context.Context, time.Duration) error { return nil }}
	_, err := Probe(t.Context(), "file://"+part+"#growing", rules)
	if me, ok := errors.AsType[*media.Error](err); !ok || !me.Retryable || !strings.Contains(me.Error(), "has only begun: video stream 0") {
		t.Errorf("%v", err)
	}
}

func appendTo(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// longClipFile lasts long enough for a probe to be content with two thirds of it.
func longClipFile(t *testing.T, name string) string {
	t.Helper()
	return smallClip(t, name, "-filter_complex", "[0:v]scale=64:36,loop=5:100,setpts=N/25/TB[v];[1:a]aloop=5:192000,asetpts=N/SR/TB[a]", "-map", "[v]", "-map", "[a]",
		"-b:v", "100k", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-live", "1")
}
