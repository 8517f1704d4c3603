package origin

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path"
	"time"
)

// upload is a body that has arrived whole in a hidden file.
type upload struct {
	root    *os.Root
	temp    string
	size    int64
	info    os.FileInfo
	content hash.Hash // of playlists
	kept    bool
}

func (u *upload) discard() {
	if !u.kept {
		u.root.Remove(u.temp)
	}
}

// tag is the ETag that a GET of the object will carry.
func (u *upload) tag(obj object) string {
	if classOf(obj.name) == ClassPlaylist {
		return hashTag(u.content)
	}
	return fileTag(u.info)
}

var errBodyShort = errors.New("body ended early")

func token() string { return rand.Text() }

// receive takes the whole body into a hidden file of the same file system, and
// has it on the disk before anybody can see it: after a power cut a file that
// was only renamed may be empty, and an empty segment that came first would
// stay for ever.
func (o *Origin) receive(w http.ResponseWriter, r *http.Request, obj object) (*upload, error) {
	u := &upload{root: o.root, temp: path.Join(tempDir, token())}
	if classOf(obj.name) == ClassPlaylist {
		u.content = sha256.New()
	}
	f, err := o.root.OpenFile(u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	err = u.fill(f, o.body(w, r), r.ContentLength)
	if err == nil && !o.cfg.NoSync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		u.discard()
		return nil, fmt.Errorf("receive: %w", err)
	}
	return u, nil
}

func (u *upload) fill(f *os.File, body io.Reader, length int64) (err error) {
	var to io.Writer = f
	if u.content != nil {
		to = io.MultiWriter(f, u.content)
	}
	if u.size, err = io.Copy(to, body); err != nil {
		return err
	}
	if length >= 0 && u.size != length {
		return errBodyShort
	}
	u.info, err = f.Stat()
	return err
}

func (o *Origin) body(w http.ResponseWriter, r *http.Request) io.Reader {
	return &pacedBody{
		from: http.MaxBytesReader(w, r.Body, o.cfg.MaxObject), control: http.NewResponseController(w),
		idle: o.cfg.BodyIdle, end: time.Now().Add(o.cfg.BodyTotal),
	}
}

// drainLimit is what a refused writer may still send. A connection that is
// closed while it sends can lose the answer, and a fenced writer must hear it.
// One that asked first (Expect: 100-continue) sends nothing.
const drainLimit = 64 << 20

func (o *Origin) drain(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(o.body(w, r), drainLimit))
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
