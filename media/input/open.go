package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
)

// Reader is an opened source. Size is -1 when unknown; Seekable tells whether
// Seek works.
type Reader interface {
	io.ReadSeekCloser
	Size() int64
	Seekable() bool
}

// Open opens an input within the rules and looks at its first bytes. Every
// error is a *media.Error.
func Open(ctx context.Context, input string, rules Rules) (Reader, error) {
	if err := rules.Check(input); err != nil {
		return nil, err
	}
	u, err := Parse(input)
	if err != nil {
		return nil, err
	}
	if live(u.Scheme) {
		return nil, refused("source "+Display(input)+" runs by itself and cannot be read from its start", "submit it as a live job (gala live submit)")
	}
	quiet, err := growth(u)
	if err != nil {
		return nil, err
	}
	var r Reader
	switch u.Scheme {
	case "file":
		r, err = openFile(u.Path, rules, quiet > 0)
	case "s3":
		r, err = openBucket(ctx, u, rules)
	case blob.Google, blob.Azure:
		r, err = openBlob(ctx, u, rules)
	default:
		r, err = openHTTP(ctx, u, rules)
	}
	if err != nil {
		return nil, err
	}
	if quiet > 0 {
		r = follow(ctx, r, quiet, rules)
	}
	head := &headReader{Reader: r}
	if err := head.inspect(display(u)); err != nil {
		_ = r.Close()
		return nil, err
	}
	if !r.Seekable() && indexLast(head.head) {
		return newSpool(head, display(u))
	}
	return head, nil
}

type file struct {
	*os.File
	size     int64
	seekable bool
}

func (f *file) Size() int64    { return f.size }
func (f *file) Seekable() bool { return f.seekable }

func openFile(path string, rules Rules, mayBeEmpty bool) (Reader, error) {
	if err := rules.checkLinks(path); err != nil {
		return nil, err
	}
	// Without blocking: nobody may ever write to the other end of a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, notOpened(path, err)
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, refused("source "+path+" is not a regular file", "give the path of one media file")
	}
	if st.Size() == 0 && !mayBeEmpty {
		_ = f.Close()
		return nil, refused("source file "+path+" is empty (0 bytes)", "upload the file again, or give another one")
	}
	return &file{File: f, size: st.Size(), seekable: true}, nil
}

func notOpened(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refused("source file "+path+" does not exist", "check the path; it is read on the machine where the agent runs")
	case errors.Is(err, fs.ErrPermission):
		return refused("source file "+path+" may not be read", "give the agent's user the right to read it")
	}
	return &media.Error{Code: media.SourceError, Message: "open source file " + path, Err: err, Advice: "check the path"}
}

// headReader keeps the first bytes, so that looking at them costs a source
// that cannot seek nothing.
type headReader struct {
	Reader
	head []byte
	pos  int64 // position as the caller sees it, while inside head
	past bool  // the caller has left head: the reader's own position counts
}

const headSize = 4096

func (h *headReader) inspect(name string) error {
	buf := make([]byte, headSize)
	n, err := io.ReadFull(h.Reader, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &media.Error{Code: media.SourceError, Message: "read source " + name, Err: err, Retryable: true, Advice: "check that the source can be read"}
	}
	h.head = buf[:n]
	if _, grows := h.Reader.(*growing); grows && n == 0 {
		return notBegun(name)
	}
	if n == 0 {
		return refused("source "+name+" is empty (0 bytes)", "upload it again, or give another one")
	}
	return inspectHead(name, h.head, h.rest)
}

// rest reads on, for a head that alone does not tell: a mebibyte more.
func (h *headReader) rest() []byte {
	more, _ := io.ReadAll(io.LimitReader(h.Reader, 1<<20))
	h.head = append(h.head, more...)
	return h.head
}

// errBefore: a seek to before the first byte.
var errBefore = errors.New("seek to before the start")

func (h *headReader) Read(p []byte) (int, error) {
	if !h.past {
		if h.pos < int64(len(h.head)) {
			n := copy(p, h.head[h.pos:])
			h.pos += int64(n)
			return n, nil
		}
		h.past = true
	}
	return h.Reader.Read(p)
}

func (h *headReader) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekCurrent && !h.past {
		offset, whence = offset+h.pos, io.SeekStart
	}
	if whence == io.SeekStart && offset < 0 {
		return 0, errBefore
	}
	if whence == io.SeekStart && offset <= int64(len(h.head)) && !h.past {
		h.pos = offset
		return offset, nil
	}
	if !h.Seekable() {
		return 0, fmt.Errorf("seek: %w", errors.ErrUnsupported)
	}
	at, err := h.Reader.Seek(offset, whence)
	h.past = h.past || err == nil
	return at, err
}
