package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
)

// The test program is also the agent and its worker program.
func TestMain(m *testing.M) {
	switch {
	case fakeworker.Main():
	case os.Getenv("BE_THE_AGENT") != "":
		main()
	default:
		os.Exit(m.Run())
	}
}

func agentProcess(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "BE_THE_AGENT=1")
	return cmd
}

// Nobody reads the agent's log any more: it still ends in order, with its work done.
func TestALogWithoutAReader(t *testing.T) {
	cmd := agentProcess(t, "--scheduler", "127.0.0.1:1", "--data", t.TempDir(), "--worker", os.Args[0])
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "no link to a scheduler") {
	}
	log.Close()
	for range 5 { // as the kernel does when a parent of five threads dies
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Log(err) // it may be gone already
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
}

func TestDevices(t *testing.T) {
	out, err := agentProcess(t, "devices", "--json", "--worker", os.Args[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	var hello struct {
		Devices []struct{ ID, Role string }
		Labels  map[string]string
	}
	if err := json.Unmarshal(out, &hello); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(hello.Devices) == 0 || hello.Devices[0].ID != "cpu" || hello.Devices[0].Role != "encode" {
		t.Errorf("devices %s", out)
	}
	table, err := agentProcess(t, "devices", "--worker", os.Args[0]).Output()
	if err != nil || !strings.Contains(string(table), "software encoders of FFmpeg 9.0-fake") {
		t.Errorf("%s (%v)", table, err)
	}
}

func TestMistakesAreTold(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, "--scheduler"},
		{[]string{"--scheduler", "a:1", "--name", "two words"}, "--name"},
		{[]string{"--schedule", "a:1"}, "unknown flag"},
	}
	for _, tt := range tests {
		cmd := agentProcess(t, append(tt.args, "--data", t.TempDir())...)
		var stderr strings.Builder
		cmd.Stderr, cmd.Stdout = &stderr, io.Discard
		if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%q: %v, %s", tt.args, err, stderr.String())
		}
	}
}
