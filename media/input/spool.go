package input

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/galafarm/gala/media"
)

// spool lets a source be read from any point that can only be read from its
// start: what came is kept in a temporary file.
type spool struct {
	Reader
	name string
	kept *os.File // without a name: it goes with the process
	have int64    // bytes in it
	pos  int64
	most int64
}

// mostSpooled bounds how much disk one source takes.
const mostSpooled = 16 << 30

func newSpool(r Reader, name string) (Reader, error) {
	s := &spool{Reader: r, name: name, most: mostSpooled}
	err := s.fits(r.Size())
	if err == nil {
		s.kept, err = os.CreateTemp("", "gala-source-")
	}
	if err == nil {
		err = os.Remove(s.kept.Name())
	}
	if err != nil {
		_ = s.Close()
		return nil, s.failed(err)
	}
	return s, nil
}

func (s *spool) fits(size int64) error {
	if size <= s.most {
		return nil
	}
	return refused(fmt.Sprintf("source %s has its index at the end, its server has no Range support, and it is larger than %d GiB", s.name, s.most>>30),
		"use a server with Range support, or move the index to the front (ffmpeg -movflags +faststart)")
}

func (s *spool) failed(err error) error {
	if _, ok := err.(*media.Error); ok { //nolint:errorlint // made here
		return err
	}
	return &media.Error{Code: media.SourceError, Message: "keep source " + s.name + ", whose server has no Range support, on disk", Err: err, Retryable: true,
		Advice: "make room in the temporary folder (TMPDIR), or use a server with Range support"}
}

func (s *spool) Seekable() bool { return true }

func (s *spool) Read(p []byte) (int, error) {
	for s.have < s.pos {
		if _, err := s.more(make([]byte, min(s.pos-s.have, readOn))); err != nil {
			return 0, err
		}
	}
	if s.pos == s.have {
		n, err := s.more(p)
		s.pos += int64(n)
		return n, err
	}
	n, err := s.kept.ReadAt(p[:min(int64(len(p)), s.have-s.pos)], s.pos)
	s.pos += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, s.failed(err)
}

// more reads on and keeps what comes.
func (s *spool) more(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n == 0 {
		return 0, err
	}
	if err := s.fits(s.have + int64(n)); err != nil {
		return 0, err
	}
	if _, err := s.kept.WriteAt(p[:n], s.have); err != nil {
		return 0, s.failed(err)
	}
	s.have += int64(n)
	return n, nil
}

func (s *spool) Seek(offset int64, whence int) (int64, error) {
	switch {
	case whence == io.SeekCurrent:
		offset += s.pos
	case whence == io.SeekEnd && s.Size() < 0:
		return 0, fmt.Errorf("seek from the end of a source of unknown length: %w", os.ErrInvalid)
	case whence == io.SeekEnd:
		offset += s.Size()
	}
	if offset < 0 {
		return 0, errBefore
	}
	s.pos = offset
	return offset, nil
}

func (s *spool) Close() error {
	if s.kept != nil {
		_ = s.kept.Close()
	}
	return s.Reader.Close()
}

// indexLast tells an MP4 or QuickTime file whose samples come before the index
// that says where they are (ISO/IEC 14496-12 §4.2, §8.1).
func indexLast(head []byte) bool {
	for len(head) >= 8 {
		size, kind := uint64(binary.BigEndian.Uint32(head)), string(head[4:8])
		if size == 1 && len(head) >= 16 {
			size = binary.BigEndian.Uint64(head[8:])
		}
		if !slices.Contains([]string{"ftyp", "wide", "free", "skip"}, kind) {
			return kind == "mdat"
		}
		if size < 8 || size > uint64(len(head)) {
			return false
		}
		head = head[size:]
	}
	return false
}
