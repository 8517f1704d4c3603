package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// TestMain plays the worker: Child runs this very binary.
func TestMain(m *testing.M) {
	if how := os.Getenv("VERIFY_WORKER"); how != "" {
		os.Exit(worker(how))
	}
	os.Exit(m.Run())
}

func worker(how string) int {
	if how == "deaf" {
		return 3 // without reading
	}
	body, _ := io.ReadAll(os.Stdin)
	fmt.Printf(`{"type":"video","pts":%d,"tb":[1,50],"key":true,"pict":"I","w":96,"h":64,"md5":"x","card":-1}`+"\n", len(body))
	fmt.Println(`{"type":"audio","pts":0,"tb":[1,48000],"samples":1024}`)
	switch how {
	case "crash":
		fmt.Fprintln(os.Stderr, "assertion failed in a codec")
		return 134
	case "babble":
		fmt.Println("hello")
	case "args":
		fmt.Fprintln(os.Stderr, strings.Join(os.Args[1:], " "))
		return 1
	default:
		fmt.Println(`{"summary":true,"frames":2,"errors":1,"messages":["concealing 5 blocks"]}`)
	}
	return 0
}

func child(t *testing.T, how string) Child {
	t.Helper()
	t.Setenv("VERIFY_WORKER", how)
	return Child{os.Args[0]}
}

func TestChild(t *testing.T) {
	var frames []Frame
	sum, err := child(t, "well").Decode(t.Context(), strings.NewReader("12345"), func(f Frame) { frames = append(frames, f) })
	if err != nil || sum.Frames != 2 || sum.Errors != 1 || sum.Messages[0] != "concealing 5 blocks" {
		t.Errorf("%+v, %v", sum, err)
	}
	if len(frames) != 2 || frames[0].PTS != 5 || *frames[0].Card != -1 || frames[1].Card != nil || frames[1].Samples != 1024 {
		t.Errorf("%+v", frames)
	}
}

// A decoder that dies or babbles says something about the media, not about us.
func TestChildThatCrashesIsAFinding(t *testing.T) {
	for _, how := range []string{"crash", "babble", "deaf"} {
		sum, err := child(t, how).Decode(t.Context(), strings.NewReader("12345"), func(Frame) {})
		if err != nil || sum.Errors == 0 || !strings.Contains(sum.Messages[0], "ended early") {
			t.Errorf("%s: %+v, %v", how, sum, err)
		}
	}
}

func TestChildDecodesAFileByItsPath(t *testing.T) {
	sum, err := child(t, "args").DecodeFile(t.Context(), "-rf.mp4", func(Frame) {})
	if err != nil || !strings.Contains(sum.Messages[0], "decode --frames /") {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestNoChild(t *testing.T) {
	if _, err := (Child{"/nowhere/gala-worker"}).Decode(t.Context(), strings.NewReader(""), func(Frame) {}); err == nil {
		t.Error("no error")
	}
	if _, ok := FindChild(); ok {
		t.Error("found a worker beside a test")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := child(t, "well").Decode(ctx, strings.NewReader(""), func(Frame) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Through the real pipe: a whole tree, and a decoder that never reads.
func TestTreeThroughAChild(t *testing.T) {
	dir := write(t, vod().files(t))
	for _, how := range []string{"crash", "deaf"} {
		wantBroken(t, judge(t, Options{Target: dir, Decoder: child(t, how)}), "decode")
	}
}
