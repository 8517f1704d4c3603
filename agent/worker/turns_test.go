package worker

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Every thread that the process has, and those that come later, take long turns.
func TestLongTurns(t *testing.T) {
	if os.Getenv("GALA_TEST_TURNS") == "" { // in a process of its own, which it changes
		cmd := exec.Command(os.Args[0], "-test.run=^TestLongTurns$", "-test.v")
		cmd.Env = append(os.Environ(), "GALA_TEST_TURNS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	runtime.LockOSThread()
	const nice = 5 // as the operator has it
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
		t.Fatal(err)
	}
	self := unix.Gettid()
	if err := takeLongTurns(); err != nil {
		t.Fatal(err)
	}
	release, ready := make(chan bool), make(chan bool)
	for range 8 { // each on a thread of its own
		go func() {
			runtime.LockOSThread()
			ready <- true
			<-release
		}()
		<-ready
	}
	defer close(release)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range threads {
		id, _ := strconv.Atoi(task.Name())
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			t.Fatal(err)
		}
		if id == self && attr.Nice != nice {
			t.Errorf("niceness %d, want %d as before", attr.Nice, nice)
		}
		if attr.Policy != unix.SCHED_BATCH {
			t.Errorf("thread %d of %d has policy %d, want SCHED_BATCH", id, len(threads), attr.Policy)
		}
	}
}
