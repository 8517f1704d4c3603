package catalogue

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for model, want := range map[string]int64{
		"NVIDIA L4": 2, "NVIDIA L4 (driver twin)": 2, "NVIDIA L40S": 3, "Tesla T4": 1, "NVIDIA A10": 1, "NVIDIA A10G": 1,
		"NVIDIA GeForce RTX 4090": 2, "NVIDIA GeForce RTX 5090": 3, "NVIDIA RTX PRO 6000 Blackwell Server Edition": 4,
		"NVIDIA A100-SXM4-80GB": 0, "NVIDIA H100 80GB HBM3": 0, "NVIDIA H200": 0,
	} {
		if c, ok := Find(model); !ok || c.NVENC != want {
			t.Errorf("%s: %d engines (%v), want %d", model, c.NVENC, ok, want)
		}
	}
	for _, model := range []string{"NVIDIA L400", "NVIDIA GeForce RTX 5070", "NVIDIA T400", ""} {
		if c, ok := Find(model); ok {
			t.Errorf("%q is taken for %v", model, c.words)
		}
	}
}

// The figures lead to what a planner knows: an L4 carries thirteen ladders of five
// rungs at 30 frames per second, at four fifths of its rate.
func TestCapacity(t *testing.T) {
	const ladder = (1920*1080 + 1280*720 + 960*540 + 768*432 + 640*360) * 30
	got, source := Capacity("NVIDIA L4")
	if n := got / ladder; n != 13 {
		t.Errorf("%d ladders", n)
	}
	if !strings.HasPrefix(source, "catalogue: 2 engines × 647") || !strings.HasSuffix(source, "not calibrated") {
		t.Errorf("%q", source)
	}
	unknown, source := Capacity("NVIDIA GeForce RTX 9090")
	if unknown <= 0 || unknown >= got || !strings.Contains(source, "not in it") {
		t.Errorf("%d of an unknown card: %s", unknown, source)
	}
	for _, c := range cards {
		if n, _ := Capacity(strings.Join(c.words, " ")); c.NVENC > 0 && n < unknown {
			t.Errorf("%v is slower than what nobody knows", c.words)
		}
	}
}

func TestSessions(t *testing.T) {
	for _, c := range []struct {
		model, driver string
		want          int
	}{
		{"NVIDIA L4", "550.144.03", 0},
		{"NVIDIA GeForce RTX 4090", "550.144.03", 8},
		{"NVIDIA GeForce RTX 4090", "550.54.14", 8},
		{"NVIDIA GeForce RTX 4090 (driver twin)", "580.97 (Gala driver twin)", 8},
		{"NVIDIA TITAN RTX", "545.29.06", 5},
		{"NVIDIA GeForce GTX 1650", "", 5},
		{"NVIDIA H200", "", 0},
	} {
		if got := Sessions(c.model, c.driver); got != c.want {
			t.Errorf("%s with %q: %d, want %d", c.model, c.driver, got, c.want)
		}
	}
}
