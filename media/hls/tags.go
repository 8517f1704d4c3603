package hls

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// The tags that the playlist library does not know: the segment bit rate of
// RFC 8216bis §4.4.4.8, and comments that carry the
// writer's epoch and the fingerprint of its key.
const (
	bitrateTag = "#EXT-X-BITRATE:"
	epochTag   = "#GALA-EPOCH:"
	keyTag     = "#GALA-KEY:"
)

// numberTag is a tag with one decimal integer; it is its own decoder.
type numberTag struct {
	name    string
	value   uint64
	segment bool
}

func (t numberTag) TagName() string       { return t.name }
func (t numberTag) SegmentTag() bool      { return t.segment }
func (t numberTag) Encode() *bytes.Buffer { return bytes.NewBufferString(t.String()) }
func (t numberTag) String() string        { return t.name + strconv.FormatUint(t.value, 10) }

// Decode reads the tag from its line.
func (t numberTag) Decode(line string) (m3u8.CustomTag, error) {
	v, err := strconv.ParseUint(strings.TrimPrefix(line, t.name), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	t.value = v
	return t, nil
}

// headTag is several tags as one: the library writes those of a playlist in
// random order, and two workers must write the same bytes.
type headTag []numberTag

func (t headTag) TagName() string { return t[0].name }

func (t headTag) Encode() *bytes.Buffer { return bytes.NewBufferString(t.String()) }

func (t headTag) String() string {
	lines := make([]string, len(t))
	for i, tag := range t {
		lines[i] = tag.String()
	}
	return strings.Join(lines, "\n")
}

func decoders() []m3u8.CustomDecoder {
	return []m3u8.CustomDecoder{numberTag{name: bitrateTag, segment: true}, numberTag{name: epochTag}, numberTag{name: keyTag}}
}

// bitrate is the size of a segment as EXT-X-BITRATE has it: kbit/s, rounded.
func bitrate(size int64, d Micros) uint64 {
	if d <= 0 {
		return 0
	}
	return uint64((size*8*1000 + int64(d)/2) / int64(d))
}

// sizeOf is the inverse of bitrate, to within half a kbit/s.
func sizeOf(kbps uint64, d Micros) int64 { return int64(kbps) * int64(d) / 8000 }
