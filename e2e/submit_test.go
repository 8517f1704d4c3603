package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
)

// A job id stands for one wish: the same again is the same job, another is
// refused with what differs.
func TestSameJobTwice(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	queue := []string{"vod", "queue", "--id", "card", "--ladder", "mini", "testcard:?size=320x240&duration=4s"}
	f.Must(queue...)
	if out := f.Must(queue...); !strings.Contains(out, "card: the same job exists and is ") {
		t.Errorf("the same job again:\n%s", out)
	}
	done(t, f, c, "card")
	if out := f.Must(queue...); !strings.Contains(out, "card: the same job exists and is done") {
		t.Errorf("the same job after its end:\n%s", out)
	}
	if attempts := f.Job(c, "card").GetAttempts(); attempts != 1 {
		t.Errorf("%d attempts: a job was run again because it was named again", attempts)
	}
	for what, args := range map[string][]string{
		"input":       {"vod", "queue", "--id", "card", "--ladder", "mini", "testcard:?size=320x240&duration=5s"},
		"ladder":      {"vod", "queue", "--id", "card", "--ladder", "low", "testcard:?size=320x240&duration=4s"},
		"destination": {"vod", "queue", "--id", "card", "--ladder", "mini", "--to", t.TempDir(), "testcard:?size=320x240&duration=4s"},
		"kind":        {"live", "submit", "--id", "card", "--ladder", "mini", "--input", "testcard:?size=320x240&duration=4s"},
	} {
		out, code := f.Run(args...)
		if code != 1 || !strings.Contains(out, "job card exists with another") || !strings.Contains(out, what) || !strings.Contains(out, "submit it under another id") {
			t.Errorf("another %s under the same id: exit %d\n%s", what, code, out)
		}
	}
}

// A ladder with a mistake is refused before anything is sent, with the place
// of every mistake.
func TestLadderMistakes(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	for name, test := range map[string]struct{ text, says string }{
		"typo.yaml":  {"name: my\nvideo:\n  - {name: a, height: 480, codec: h264, bitrate: 1M, max_rate: 2M}\n", `typo.yaml:3:54: video[0]: unknown key "max_rate", did you mean "maxrate"?`},
		"value.yaml": {"name: my\nvideo:\n  - name: a\n    height: 480p\n    codec: h264\n    bitrate: 1M\n", `value.yaml:4:13: video[0].height: is "480p", want a whole number`},
		"codec.yml":  {"name: my\nvideo:\n  - {name: a, height: 480, codec: h265, bitrate: 1M}\n", `codec.yml:3:35: video[0].codec`},
		"empty.yaml": {"", `empty.yaml:1:1: the file is empty`},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"vod", "queue", "--ladder", path, "testcard:?duration=1s"}, {"live", "submit", "--ladder", path, "--input", "testcard:"},
			{"ladder", "check", path},
		} {
			out, code := f.Run(args...)
			if code == 0 || !strings.Contains(out, test.says) {
				t.Errorf("gala %v: exit %d, want it to say %q\n%s", args, code, test.says, out)
			}
		}
	}
	out, code := f.Run("vod", "queue", "--ladder", "nosuch", "testcard:?duration=1s")
	if code != 1 || !strings.Contains(out, "nosuch") || !strings.Contains(out, "mini") {
		t.Errorf("an unknown preset: exit %d, want the known ones listed\n%s", code, out)
	}
	out, code = f.Run("vod", "queue", "--ladder", filepath.Join(t.TempDir(), "none.yaml"), "testcard:?duration=1s")
	if code != 2 || !strings.Contains(out, "none.yaml") || !strings.Contains(out, "gala ladder ls") {
		t.Errorf("a missing ladder file: exit %d\n%s", code, out)
	}
	if out := f.Must("vod", "ls"); !strings.Contains(out, "No jobs") {
		t.Errorf("a job was made of it:\n%s", out)
	}
}
