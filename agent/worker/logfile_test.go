package worker

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func size(t interface{ Fatal(...any) }, name string) int64 {
	st, err := os.Stat(name)
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// Whatever is written, log and log.1 stay within the bound each, and the last
// line is there.
func TestLogStaysWithinItsBound(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		const bound = 1000
		log, err := OpenLog(dir, bound)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 2500), 1, 40).Draw(t, "lines") {
			line := bytes.Repeat([]byte{'x'}, n)
			if got, err := log.Write(line); got != n || err != nil {
				t.Fatalf("write of %d: %d, %v", n, got, err)
			}
			now, before := size(t, filepath.Join(dir, "log")), size(t, filepath.Join(dir, "log.1"))
			if now > bound || before > bound || now < int64(min(n, bound)) {
				t.Fatalf("after a line of %d: log %d, log.1 %d", n, now, before)
			}
		}
	})
}

// A log that is opened again goes on where it was, bound included.
func TestLogIsAppendedTo(t *testing.T) {
	dir := t.TempDir()
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		log, err := OpenLog(dir, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	now, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "log.1"))
	if err != nil || string(before) != "one\ntwo\n" || string(now) != "three\n" {
		t.Errorf("log %q, log.1 %q, %v", now, before, err)
	}
}

// Where no new file can be begun, lines are dropped: the bound holds.
func TestLogInAVanishedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := OpenLog(dir, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if n, err := log.Write([]byte(strings.Repeat("x", 30))); n != 30 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if log.size > 100 {
		t.Errorf("%d bytes are kept", log.size)
	}
	if _, err := OpenLog(dir, 100); err == nil {
		t.Error("a log in no folder was opened")
	}
}
