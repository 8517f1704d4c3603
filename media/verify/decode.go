package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Frame is one decoded frame.
type Frame struct {
	Type string   `json:"type"` // video, audio
	PTS  int64    `json:"pts"`
	TB   [2]int64 `json:"tb"`
	Key  bool     `json:"key"`
	Pict string   `json:"pict"`
	W    int      `json:"w"`
	H    int      `json:"h"`
	// Samples of an audio frame.
	Samples int64  `json:"samples"`
	MD5     string `json:"md5"`
	// Card is the frame number that the test card shows, -1 without.
	Card *int64 `json:"card"`
}

// Summary ends a decode.
type Summary struct {
	Frames   int      `json:"frames"`
	Errors   int      `json:"errors"`
	Messages []string `json:"messages"`
}

// Decoder decodes media, calling each for every frame. It errs only when it
// could not run; what it thinks of the media is in the summary.
type Decoder interface {
	// Decode reads an init segment and the segments that follow.
	Decode(ctx context.Context, media io.Reader, each func(Frame)) (Summary, error)
	// DecodeFile reads any source file.
	DecodeFile(ctx context.Context, path string, each func(Frame)) (Summary, error)
}

// Child decodes in a `gala-worker decode` process, so that a crash in a codec
// is a finding and not ours.
type Child struct{ Worker string }

// FindChild is the worker beside the running program; ok is false without one.
func FindChild() (c Child, ok bool) {
	self, err := os.Executable()
	if err != nil {
		return Child{}, false
	}
	worker := filepath.Join(filepath.Dir(self), "gala-worker")
	if info, err := os.Stat(worker); err != nil || info.IsDir() {
		return Child{}, false
	}
	return Child{worker}, true
}

// Decode runs `gala-worker decode --frames` on the media.
func (c Child) Decode(ctx context.Context, media io.Reader, each func(Frame)) (Summary, error) {
	return c.run(ctx, media, each, "decode", "--frames")
}

// DecodeFile runs `gala-worker decode --frames FILE`.
func (c Child) DecodeFile(ctx context.Context, path string, each func(Frame)) (Summary, error) {
	abs, err := filepath.Abs(path) // and so never read as a flag
	if err != nil {
		return Summary{}, err
	}
	return c.run(ctx, nil, each, "decode", "--frames", abs)
}

func (c Child) run(ctx context.Context, stdin io.Reader, each func(Frame), args ...string) (Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Worker, args...)
	cmd.Stdin = stdin
	var complaints tail
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Summary{}, err
	}
	if err := cmd.Start(); err != nil {
		return Summary{}, fmt.Errorf("decoder: %w", err)
	}
	sum, ended, err := readFrames(out, each)
	if err != nil {
		cancel() // it may go on writing for ever
	}
	end := cmd.Wait()
	if ctx.Err() != nil && err == nil {
		return Summary{}, ctx.Err()
	}
	return sum.ending(ended, errors.Join(err, end), complaints.String()), nil
}

// ending: a child that ended without a summary crashed on this media.
func (s Summary) ending(ended bool, err error, complaints string) Summary {
	if ended && err == nil {
		return s
	}
	if !ended {
		s.Errors++
		s.Messages = append(s.Messages, fmt.Sprintf("the decoder ended early: %v %s", err, complaints))
	}
	return s
}

// readFrames reads the child's lines; ended tells whether the summary came.
func readFrames(r io.Reader, each func(Frame)) (sum Summary, ended bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	for lines.Scan() {
		var line struct {
			Summary bool `json:"summary"`
			Frame
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return sum, false, fmt.Errorf("decoder said %q: %w", clip(lines.Text()), err)
		}
		if !line.Summary {
			each(line.Frame)
			continue
		}
		return sum, true, json.Unmarshal(lines.Bytes(), &sum)
	}
	return sum, false, lines.Err()
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80]
	}
	return s
}

// tail keeps the end of what a child complains.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 1000 {
		t.b = append([]byte(nil), t.b[len(t.b)-1000:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.b)) }
