package supervisor

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// quoteBytes and quoteLines bound what of a log goes into a message, and
// searchBytes where it is looked for.
const (
	quoteBytes  = 2 << 10
	quoteLines  = 8
	searchBytes = 256 << 10
)

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// readTail reads at most n bytes from the end of a file, from a whole line on.
func readTail(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-n)
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, from, n), n))
	if cut := bytes.IndexByte(text, '\n'); from > 0 && cut >= 0 {
		text = text[cut+1:]
	}
	return text, err
}

// crashMarks start the lines that say why a process broke down. What follows
// them (registers, stacks of every goroutine) would push them out of the quote.
var crashMarks = regexp.MustCompile(`(?m)^(panic: |fatal error: |SIG[A-Z]+: |runtime: |unexpected fault address |terminate called |Assertion |.*: Assertion .* failed)`)

// quoteLog is the part of a worker's log that fits a message: from the first
// line that says why it broke, or else its last lines.
func (d runDir) quoteLog() string {
	text, err := readTail(d.path(fileLog), searchBytes)
	if err != nil {
		return ""
	}
	if mark := crashMarks.FindIndex(text); mark != nil {
		return firstLines(string(text[mark[0]:]))
	}
	return lastLines(string(text[max(0, len(text)-quoteBytes):]))
}

func firstLines(text string) string {
	text = legible(text[:min(len(text), quoteBytes)])
	lines := strings.Split(text, "\n")
	return strings.Join(lines[:min(len(lines), quoteLines)], "\n")
}

func lastLines(text string) string {
	lines := strings.Split(legible(text), "\n")
	return strings.Join(lines[max(0, len(lines)-quoteLines):], "\n")
}

func legible(text string) string {
	return strings.Map(printable, strings.ToValidUTF8(strings.TrimSpace(text), "?"))
}

func printable(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
		return -1
	}
	return r
}

// trimLog cuts a log that outgrew its bound to its end. The worker bounds its
// own log; this is for what a C library writes past it. The file is cut in
// place because the worker's descriptor appends to it.
func (d runDir) trimLog(most, keep int64) (dropped int64, err error) {
	info, err := os.Stat(d.path(fileLog))
	if err != nil || info.Size() <= most {
		return 0, ignoreMissing(err)
	}
	tail, err := readTail(d.path(fileLog), keep)
	if err != nil {
		return 0, fmt.Errorf("read log: %w", err)
	}
	dropped = info.Size() - int64(len(tail))
	head := fmt.Sprintf("... %d bytes of log were dropped here\n", dropped)
	if err := os.Truncate(d.path(fileLog), 0); err != nil {
		return 0, fmt.Errorf("cut log: %w", err)
	}
	return dropped, d.appendLog(append([]byte(head), tail...))
}

func (d runDir) appendLog(text []byte) error {
	f, err := os.OpenFile(d.path(fileLog), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("append to log: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("append to log: %w", err)
	}
	return nil
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
