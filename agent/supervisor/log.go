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
	quoteBytes  = 1 << 10
	quoteLines  = 4
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
// QUIT is not among them: that is us, asking a stalled worker for its stacks.
var crashMarks = regexp.MustCompile(`(?m)^(panic: |fatal error: |SIG(ABRT|BUS|FPE|ILL|SEGV|SYS|TRAP): |unexpected fault address |terminate called |.*Assertion .* failed)`)

// quote is the part of a worker's words that fits a message: why it broke
// down, or else the end of its log, or of what libraries printed.
func (d runDir) quote() string {
	printed, _ := readTail(d.path(fileStderr), searchBytes)
	if mark := crashMarks.FindIndex(printed); mark != nil {
		return firstLines(string(printed[mark[0]:]))
	}
	log, _ := readTail(d.path(fileLog), quoteBytes)
	if len(log) > 0 {
		return lastLines(string(log))
	}
	return lastLines(string(printed[max(0, len(printed)-quoteBytes):]))
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

// trim cuts a file that outgrew its bound to its end, in place: the worker's
// descriptor appends to it. A worker bounds its own log; this is for what
// libraries print past it.
func (d runDir) trim(file string, most, keep int64) (dropped int64, err error) {
	info, err := os.Stat(d.path(file))
	if err != nil || info.Size() <= most {
		return 0, ignoreMissing(err)
	}
	tail, err := readTail(d.path(file), keep)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", file, err)
	}
	dropped = info.Size() - int64(len(tail))
	head := fmt.Sprintf("... %d bytes were dropped here\n", dropped)
	if err := os.Truncate(d.path(file), 0); err != nil {
		return 0, fmt.Errorf("cut %s: %w", file, err)
	}
	return dropped, d.append(file, append([]byte(head), tail...))
}

func (d runDir) append(file string, text []byte) error {
	f, err := os.OpenFile(d.path(file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("append to %s: %w", file, err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("append to %s: %w", file, err)
	}
	return nil
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
