package input

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

func TestOpenFileErrors(t *testing.T) {
	dir := realDir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("empty.mp4"), nil)
	write(t, path("zeros.mp4"), make([]byte, 64<<10))
	write(t, path("page.ts"), []byte("\n <!DOCTYPE html><html><head><TITLE> 404 Not Found </TITLE></head></html>"))
	if err := syscall.Mkfifo(path("pipe.ts"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop.ts", path("loop.ts")); err != nil {
		t.Fatal(err)
	}
	for name, words := range map[string]string{
		"missing.mp4":      "missing.mp4 does not exist",
		"missing/deep.mp4": "does not exist",
		"empty.mp4":        "is empty (0 bytes)",
		"zeros.mp4":        "nothing but zero bytes",
		"page.ts":          `is an HTML page, not media ("404 Not Found")`,
		"pipe.ts":          "not a regular file", // and it does not wait for a writer
		"":                 "not a regular file",
		"loop.ts":          "open source file",
		"nul\x00.mp4":      "open source file",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), path(name), Rules{Patterns: Local})
			wantRefused(t, err, words)
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		wantRefused(t, notOpened("/x", os.ErrPermission), "/x may not be read", "right to read")
		return
	}
	path := filepath.Join(realDir(t), "a.mp4")
	write(t, path, []byte("x"))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, Rules{Patterns: Local})
	wantRefused(t, err, "may not be read", "right to read")
}

// A file that begins with zeros may still be media: demuxers find their way.
func TestLeadingZerosAreRead(t *testing.T) {
	body := append(make([]byte, 300<<10), "media after all"...)
	path := filepath.Join(realDir(t), "late.ts")
	write(t, path, body)
	r, err := Open(t.Context(), path, Rules{Patterns: Local})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(body))
	}
}

func TestTestCardIsNoFile(t *testing.T) {
	_, err := Open(t.Context(), TestCard, Rules{})
	wantRefused(t, err, `sources of type "testcard:"`)
}

// memory is a Reader over bytes that can or cannot seek.
type memory struct {
	*bytes.Reader
	seekable bool
}

func (m memory) Close() error   { return nil }
func (m memory) Seekable() bool { return m.seekable }
func (m memory) Seek(o int64, w int) (int64, error) {
	if !m.seekable {
		return 0, os.ErrInvalid
	}
	return m.Reader.Seek(o, w)
}

// A headReader that was looked into reads and seeks like the bytes themselves.
func TestHeadReaderIsItsReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(headSize-5, headSize+5), rapid.IntRange(headSize, 4*headSize)).Draw(t, "size")
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i*7 + i>>8 + 1)
		}
		if rapid.Bool().Draw(t, "zeros first") {
			clear(body[:min(size-1, headSize)])
		}
		seekable := rapid.Bool().Draw(t, "seekable")
		head, want := &headReader{Reader: memory{bytes.NewReader(body), seekable}}, bytes.NewReader(body)
		if err := head.inspect("x"); err != nil {
			t.Skip(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"read": func(t *rapid.T) {
				n := rapid.IntRange(1, headSize).Draw(t, "n")
				a, b := make([]byte, n), make([]byte, n)
				// ReadFull: a short read is a reader's right.
				na, ea := io.ReadFull(head, a)
				nb, eb := io.ReadFull(want, b)
				if na != nb || ea != eb || !bytes.Equal(a, b) {
					t.Fatalf("read %d, %v; want %d, %v, or other bytes", na, ea, nb, eb)
				}
			},
			"seek": func(t *rapid.T) {
				whence := rapid.SampledFrom([]int{io.SeekStart, io.SeekCurrent, io.SeekEnd}).Draw(t, "whence")
				offset := rapid.Int64Range(-int64(size)-2, int64(size)+2).Draw(t, "offset")
				before, _ := want.Seek(0, io.SeekCurrent)
				pa, ea := head.Seek(offset, whence)
				pb, eb := want.Seek(offset, whence)
				if ea != nil && eb == nil && !seekable {
					_, _ = want.Seek(before, io.SeekStart) // refused, and it stays where it was
					return
				}
				if (ea == nil) != (eb == nil) || ea == nil && pa != pb {
					t.Fatalf("seek(%d, %d) = %d, %v; want %d, %v", offset, whence, pa, ea, pb, eb)
				}
			},
		})
	})
}
