package fakeworker

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// Main is the worker program, if the arguments call for one; a test binary
// calls it first thing and goes on when it returns false. It does not return
// true: the process ends, and at once: os.Exit takes a second under the race
// detector.
func Main() bool {
	args := os.Args[1:]
	switch {
	case len(args) == 3 && args[0] == "run" && args[1] == "--dir":
		syscall.Exit(run(args[2]))
	case len(args) == 3 && args[0] == "ingest" && args[1] == "--dir":
		syscall.Exit(ingest(args[2]))
	case len(args) >= 3 && args[0] == "probe" && args[1] == "--json":
		syscall.Exit(probe(args[len(args)-1]))
	case len(args) == 4 && args[0] == "gpu" && args[1] == "--device" && args[3] == "--json":
		syscall.Exit(gpu(args[2]))
	case len(args) == 2 && args[0] == "version" && args[1] == "--json":
		fmt.Println(`{"ffmpeg":"9.0-fake","encoders":["libx264","aac","h264_nvenc"]}`)
		syscall.Exit(0)
	}
	return false
}

func run(dir string) int {
	spec, err := readSpec(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake worker:", err)
		return 1
	}
	w := newWorker(dir, spec)
	if err := w.serve(); err != nil {
		fmt.Fprintln(os.Stderr, "fake worker:", err)
		return 1
	}
	outcome := w.work()
	last, _ := w.now()
	outcome.Status = last.GetStatus()
	w.leaveOutcome(outcome)
	w.tell(outcome)
	if w.script.DoNotExit {
		select {}
	}
	w.die()
	return w.script.ExitStatus
}

func readSpec(dir string) (*galav1.Assignment, error) {
	text, err := os.ReadFile(dir + "/assignment.json")
	if err != nil {
		return nil, err
	}
	spec := &galav1.Assignment{}
	return spec, protojson.Unmarshal(text, spec)
}

// die ends by a real signal: Go's own handler would turn SEGV into a status.
func (w *worker) die() {
	if w.script.Signal != "" {
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -" + w.script.Signal + " $$"}, nil)
	}
}

// probe answers by the input's name.
func probe(input string) int {
	switch {
	case strings.HasPrefix(input, "probe:hang"):
		time.Sleep(time.Hour)
	case strings.HasPrefix(input, "probe:crash"):
		fmt.Fprintln(os.Stderr, "about to crash")
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -SEGV $$"}, nil)
	case strings.HasPrefix(input, "probe:mute"):
		return 0
	case strings.HasPrefix(input, "probe:flood"):
		for range 3 << 10 {
			fmt.Println(strings.Repeat("x", 1<<10))
		}
	case strings.HasPrefix(input, "probe:bad"):
		fmt.Println(`{"error":{"code":"source_error","message":"no such file","advice":"check the path"}}`)
		return 1
	default:
		r := &galav1.ProbeResult{Source: Source(input)}
		text, _ := protojson.Marshal(r)
		fmt.Println(string(text))
	}
	return 0
}

// gpu is the trial of one, by its name. Any other encodes, if it is the one that this
// process sees; GPU-cache has the driver's cache for its encoder.
func gpu(uuid string) int {
	encoder := "h264_nvenc"
	switch uuid {
	case "GPU-hang":
		time.Sleep(time.Hour)
	case "GPU-crash":
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -SEGV $$"}, nil)
	case "GPU-mute":
		return 0
	case "GPU-other":
		uuid = "GPU-1"
	case "GPU-cache":
		encoder = os.Getenv("CUDA_CACHE_PATH")
	default:
		uuid = os.Getenv("CUDA_VISIBLE_DEVICES")
	}
	fmt.Printf(`{"device":%q,"sessions":[{"encoder":%q,"depth":8}]}`+"\n", uuid, encoder)
	return 0
}

// Source is what a probe finds in any other input.
func Source(input string) *galav1.SourceInfo {
	return &galav1.SourceInfo{
		Url: input, Container: "fake",
		Video: []*galav1.VideoTrack{{
			Codec: "h264", Width: 1280, Height: 720, Fps: &galav1.Rational{Num: 25, Den: 1},
			SampleAspect: &galav1.Rational{Num: 1, Den: 1}, PixelFormat: "yuv420p", BitDepth: 8,
		}},
		Audio: []*galav1.AudioTrack{{Index: 1, Codec: "aac", Channels: 2, SampleRate: 48000, Language: "und"}},
	}
}
