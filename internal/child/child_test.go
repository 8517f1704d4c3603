package child

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// sh is a program that writes a line to the returned pipe.
func sh(t *testing.T, script string) (Program, *io.PipeReader) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	return Program{Path: "/bin/sh", Args: []string{"-c", script}, Output: w, Log: quiet()}, r
}

func readLine(t *testing.T, r io.Reader) string {
	t.Helper()
	buf := make([]byte, 64)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(buf[:n]))
}

func TestRunAsksBeforeItKills(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "asked")
	p, out := sh(t, `trap 'echo stopping; touch "`+mark+`"; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	if got := readLine(t, out); got != "up" {
		t.Fatalf("printed %q", got)
	}
	cancel()
	go io.Copy(io.Discard, out)
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("it was not asked: %v", err)
	}
}

func TestRunKillsWhatDoesNotListen(t *testing.T) {
	p, out := sh(t, `trap '' TERM; echo up; while :; do sleep 0.05; done`)
	p.Grace = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	readLine(t, out)
	cancel()
	go io.Copy(io.Discard, out)
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestRunStartsAgain(t *testing.T) {
	p, out := sh(t, `echo $$`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	if first, second := readLine(t, out), readLine(t, out); first == second {
		t.Errorf("the same process %s twice", first)
	}
	cancel()
	go io.Copy(io.Discard, out)
	<-done
}

func TestRunInAnEnvironment(t *testing.T) {
	t.Setenv("CHILD_TEST", "ours")
	for want, env := range map[string][]string{"ours": nil, "its": {"CHILD_TEST=its"}, "none": {}} {
		p, out := sh(t, `echo "${CHILD_TEST-none}"`)
		p.Env = env
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		if got := readLine(t, out); got != want {
			t.Errorf("with %q it sees %q, want %q", env, got, want)
		}
		cancel()
		go io.Copy(io.Discard, out)
		<-done
	}
}

func TestRunOfNothing(t *testing.T) {
	err := Program{Path: "/no/such/program", Log: quiet()}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "/no/such/program cannot be started") {
		t.Errorf("error %v", err)
	}
}
