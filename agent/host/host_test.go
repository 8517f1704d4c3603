package host

import (
	"os"
	"testing"
)

func TestModel(t *testing.T) {
	for text, want := range map[string]string{
		"processor\t: 0\nmodel name\t: Fast  CPU @ 2GHz\nmodel name\t: other\n": "Fast CPU @ 2GHz",
		"Hardware\t: BCM\nModel\t\t: Small Board\n":                             "Small Board",
		"": "unknown processor",
	} {
		if got := modelIn([]byte(text)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	var m Meter
	steps := []struct {
		stat string
		want float64
	}{
		{"cpu  100 0 100 800 0 0 0 0 50 0\ncpu0 1", 0}, // the first look has nothing to compare
		{"cpu  150 0 150 900 0 0 0 0 99 0\n", 0.5},
		{"cpu  150 0 150 900 0 0 0 0 99 0\n", 0},
		{"cpu  150 0 150 950 50 0 0 0 0 0\n", 0}, // waiting for a disk is idle
		{"cpu  150 0 150 950 50 10 10 80 0 0\n", 1},
		{"garbage", 0},
	}
	for _, s := range steps {
		if got := m.load([]byte(s.stat)); got != s.want {
			t.Errorf("load %v after %q, want %v", got, s.stat, s.want)
		}
	}
}

func TestUsage(t *testing.T) {
	stat := "7 (a (w) x) S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 99 1000 3 0"
	u, err := usageIn([]byte(stat))
	if err != nil || u.CPU != 2_000_000 || u.RSS != 3*int64(os.Getpagesize()) {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := usageIn([]byte("7 (a) S 1")); err == nil {
		t.Error("a short line was read")
	}
}

func TestThisMachine(t *testing.T) {
	var m Meter
	r, err := m.Read()
	if err != nil || r.Memory.Total <= 0 || r.Memory.Used <= 0 || r.OwnCPU <= 0 {
		t.Errorf("%+v %v", r, err)
	}
	if u, err := ReadUsage(os.Getpid()); err != nil || u.RSS <= 0 {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := ReadUsage(1 << 30); err == nil {
		t.Error("a process that is not there was read")
	}
	if CPUModel() == "" {
		t.Error("no model")
	}
}
