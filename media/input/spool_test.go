package input

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// endIndexed makes a served object look like an MP4 whose index comes last.
func endIndexed(s *served) *served {
	copy(s.body, "\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\x00\x00\x00\x00mdat")
	s.noRange = true
	return s
}

func TestIndexLast(t *testing.T) {
	const ftyp = "\x00\x00\x00\x10ftypisom\x00\x00\x00\x00"
	for head, want := range map[string]bool{
		ftyp + "\x00\x01\x00\x00mdat": true,
		ftyp + "\x00\x00\x00\x08free\x00\x00\x00\x01mdat\x00\x00\x00\x01\x00\x00\x00\x00": true,
		"\x00\x00\x00\x08wide\x00\x01\x00\x00mdat":                                        true,
		ftyp + "\x00\x01\x00\x00moov":                                                     false,
		ftyp + "\x00\x00\x00\x40moof":                                                     false,
		ftyp:                                                                              false,
		"\x00\x00\x00\x04ftyp":                                                            false,
		"G\x40\x00\x10":                                                                   false,
		"":                                                                                false,
	} {
		if got := indexLast([]byte(head)); got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

// An MP4 that ends with its index is read from any point although its server
// cannot: what came is kept on disk.
func TestSpoolReadsAndSeeks(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := endIndexed(serve(t, 3*headSize))
	rapid.Check(t, func(t *rapid.T) {
		r, err := s.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		want := bytes.NewReader(s.body)
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			at := rapid.Int64Range(-int64(len(s.body)), 100).Draw(t, "at")
			n := rapid.IntRange(1, headSize).Draw(t, "n")
			_, _ = want.Seek(at, io.SeekEnd)
			if _, err := r.Seek(at, io.SeekEnd); err != nil {
				t.Fatal(err)
			}
			a, b := make([]byte, n), make([]byte, n)
			na, ea := io.ReadFull(r, a)
			nb, eb := io.ReadFull(want, b)
			if na != nb || !errors.Is(ea, eb) || !bytes.Equal(a, b) {
				t.Fatalf("at %d: read %d, %v; want %d, %v", at, na, ea, nb, eb)
			}
		}
	})
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSpoolIsBounded(t *testing.T) {
	r := mustOpen(t, endIndexed(serve(t, 3*headSize)))
	r.(*spool).most = 2 * headSize
	_, err := io.ReadAll(r)
	wantRefused(t, err, "no Range support", "+faststart")
	t.Setenv("TMPDIR", t.TempDir()+"/gone")
	_, err = endIndexed(serve(t, 3*headSize)).open(t.Context())
	wantRetryable(t, err, "on disk")
}
