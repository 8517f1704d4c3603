package origin

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"time"
)

// upload is a body that has arrived whole in a hidden file.
type upload struct {
	root *os.Root
	temp string
	size int64
	kept bool
}

func (u *upload) discard() {
	if !u.kept {
		u.root.Remove(u.temp)
	}
}

var errBodyShort = errors.New("body ended early")

func token() string { return rand.Text() }

// receive takes the whole body into a hidden file of the same file system.
func (o *Origin) receive(w http.ResponseWriter, r *http.Request) (*upload, error) {
	if r.ContentLength > o.cfg.MaxObject {
		return nil, &http.MaxBytesError{Limit: o.cfg.MaxObject}
	}
	u := &upload{root: o.root, temp: path.Join(tempDir, token())}
	f, err := o.root.OpenFile(u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	body := &pacedBody{
		from: http.MaxBytesReader(w, r.Body, o.cfg.MaxObject), control: http.NewResponseController(w),
		idle: o.cfg.BodyIdle, end: time.Now().Add(o.cfg.BodyTotal),
	}
	u.size, err = io.Copy(f, body)
	err = errors.Join(err, f.Close())
	if err == nil && r.ContentLength >= 0 && u.size != r.ContentLength {
		err = errBodyShort
	}
	if err != nil {
		u.discard()
		return nil, fmt.Errorf("receive: %w", err)
	}
	return u, nil
}

// pacedBody gives every read a deadline, so that a writer that trickles or
// hangs holds neither a connection nor a hidden file for long. The deadline is
// the connection's, hence wall time and not the injected clock.
type pacedBody struct {
	from    io.Reader
	control *http.ResponseController
	idle    time.Duration
	end     time.Time
}

func (b *pacedBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(b.idle)
	if deadline.After(b.end) {
		deadline = b.end
	}
	// A writer without deadlines (a test's recorder) is read without them.
	if err := b.control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.from.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errBodyShort
	}
	return n, err
}

// readAll reads a small file.
func readAll(root *os.Root, name string) ([]byte, os.FileInfo, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		return nil, nil, err
	}
	return b.Bytes(), info, nil
}
