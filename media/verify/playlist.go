package verify

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media/cmaf"
)

// playlist is a media or I-frame playlist as far as the rules need it.
type playlist struct {
	path        string
	target      int64 // seconds
	kind        m3u8.MediaType
	closed      bool
	independent bool
	iframesOnly bool
	entries     []entry
	header      http.Header
	keys        []m3u8.Key
	lapses      []lapse
}

// entry is one segment or byte range of a playlist.
type entry struct {
	number        int64 // media sequence number
	path          string
	init          string // path of the init segment, "" without EXT-X-MAP
	micros        int64  // EXTINF
	offset, size  int64  // EXT-X-BYTERANGE, size 0 without
	discontinuity bool
	gap           bool
	time          time.Time
}

func parsePlaylist(p string, o object) (*playlist, error) {
	list, kind, err := m3u8.DecodeWith(bytes.NewReader(o.body), true, nil)
	if err != nil {
		return nil, err
	}
	m, ok := list.(*m3u8.MediaPlaylist)
	if !ok || kind != m3u8.MEDIA {
		return nil, fmt.Errorf("not a media playlist")
	}
	target, err := header(o.body, "#EXT-X-TARGETDURATION:")
	if err != nil {
		return nil, err
	}
	out := &playlist{path: p, target: target, kind: m.MediaType, closed: m.Closed,
		independent: m.IndependentSegments(), iframesOnly: m.Iframe, header: o.header, keys: m.Keys, lapses: lapsesOf(m)}
	return out, out.read(m)
}

// header is the number in a tag's line. The library raises the target duration
// to fit the segments that it reads, which is what a verifier must not do.
func header(body []byte, tag string) (int64, error) {
	for line := range strings.Lines(string(body)) {
		if v, ok := strings.CutPrefix(line, tag); ok {
			return strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s is missing", strings.TrimSuffix(tag, ":"))
}

func (l *playlist) read(m *m3u8.MediaPlaylist) error {
	current := ""
	if m.Map != nil {
		current = l.resolve(m.Map.URI)
	}
	for i, s := range m.GetAllSegments() {
		if strings.Contains(s.URI, "://") || strings.HasPrefix(l.resolve(s.URI), "..") {
			return fmt.Errorf("%q points out of the tree", s.URI)
		}
		if s.Map != nil {
			current = l.resolve(s.Map.URI)
		}
		l.entries = append(l.entries, entry{
			number: int64(m.SeqNo) + int64(i), path: l.resolve(s.URI), init: current, micros: int64(math.Round(s.Duration * 1e6)),
			offset: s.Offset, size: s.Limit, discontinuity: s.Discontinuity, gap: s.Gap, time: s.ProgramDateTime,
		})
	}
	return nil
}

func (l *playlist) resolve(uri string) string { return path.Join(path.Dir(l.path), uri) }

// ranges are the byte ranges of each object, in order.
func (l *playlist) ranges() map[string][]cmaf.Range {
	out := map[string][]cmaf.Range{}
	for _, e := range l.entries {
		if !e.gap {
			out[e.path] = append(out[e.path], cmaf.Range{Offset: e.offset, Size: e.size})
		}
	}
	return out
}

// sliding: a live window.
func (l *playlist) sliding() bool { return !l.closed && l.kind == 0 }

// total is the sum of the EXTINFs.
func (l *playlist) total() int64 {
	var sum int64
	for _, e := range l.entries {
		sum += e.micros
	}
	return sum
}

// named is the number that the file name says, -1 when it is none.
func (e entry) named() int64 {
	base := path.Base(e.path)
	n, err := strconv.ParseInt(strings.TrimSuffix(base, path.Ext(base)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
