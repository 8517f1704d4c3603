package e2e

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/cmaf"
)

// receiver is the other end of CMAF ingest (DASH-IF live media ingest,
// interface 1): it wants a track's header before its segments.
type receiver struct {
	mu     sync.Mutex
	header map[string][]byte
	tracks map[string]map[int64][]byte // segments by decode time
	orphan int                         // segments that came before their header
	others []string
}

func newReceiver() *receiver {
	return &receiver{header: map[string][]byte{}, tracks: map[string]map[int64][]byte{}}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	path, ok := strings.CutPrefix(strings.TrimSuffix(req.URL.Path, ")"), "/point/Streams(")
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case !ok || req.Method != http.MethodPut && req.Method != http.MethodPost:
		r.others = append(r.others, req.Method+" "+req.URL.Path)
		w.WriteHeader(http.StatusNotFound)
	case len(body) > 8 && string(body[4:8]) == "ftyp":
		r.header[path] = body
		if r.tracks[path] == nil {
			r.tracks[path] = map[int64][]byte{}
		}
	case r.header[path] == nil:
		r.orphan++
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		r.tracks[path][decodeTime(body)] = body
	}
}

// decodeTime is the first tfdt's, which has 64 bits here.
func decodeTime(segment []byte) int64 {
	at := bytes.Index(segment, []byte("tfdt"))
	if at < 0 || len(segment) < at+16 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(segment[at+8:]))
}

// restart forgets the headers, as a receiver that was started anew.
func (r *receiver) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.header)
}

// Tracks go to a receiver and its own idea of a playlist; it is started anew
// and a worker is killed meanwhile. What it has then is each track whole, with
// prft in every fragment, and the last segment says that it is.
func TestCMAFIngest(t *testing.T) {
	t.Parallel()
	r := newReceiver()
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	f := farm.Start(t)
	c := f.Client()
	if out, code := f.Run("vod", "queue", "--id", "clip", "--ladder", "mini", "--to", srv.URL+"/point?ingest=cmaf", "testcard:?duration=2s"); code == 0 || !strings.Contains(out, "live") {
		t.Errorf("a clip: exit %d, %s", code, out)
	}
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--to", srv.URL+"/point?ingest=cmaf")
	before := segments(t, f, c, "gala", 3)
	r.restart()
	before = goesOn(t, f, c, "gala", newest(before), 3)
	signal(t, theWorker(t, f), syscall.SIGKILL)
	goesOn(t, f, c, "gala", newest(before), 4)
	stopped(t, f, c, "gala")

	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.others) > 0 || r.orphan == 0 || len(r.tracks) < 2 {
		t.Errorf("asked for %v; %d segments before their header, tracks %v", r.others, r.orphan, slices.Collect(maps.Keys(r.tracks)))
	}
	for name, segments := range r.tracks {
		track, err := cmaf.ParseInit(r.header[name])
		if err != nil {
			t.Fatal(name, err)
		}
		whole := bytes.Clone(r.header[name])
		times := slices.Sorted(maps.Keys(segments))
		next := times[0]
		for i, at := range times {
			p, err := cmaf.Parse(track, segments[at])
			if err != nil {
				t.Fatal(name, err)
			}
			if at != next {
				t.Errorf("%s: a hole of %d ticks before segment %d", name, at-next, i)
			}
			next = at + p.Duration()
			for _, fragment := range p.Fragments {
				if got := fragment.Reference.Unix(); got != fragment.Decode/track.Timescale {
					t.Errorf("%s: prft says %d of what is on air at %d", name, got, fragment.Decode/track.Timescale)
				}
			}
			if last := slices.Contains(p.Brands, "lmsg"); last != (i == len(times)-1) {
				t.Errorf("%s: segment %d of %d says that it is the last: %v", name, i+1, len(times), last)
			}
			whole = append(whole, segments[at]...)
		}
		file := filepath.Join(t.TempDir(), "track.mp4")
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if p := ffprobe(t, file, "-show_streams"); len(p.Streams) != 1 {
			t.Errorf("%s: ffprobe finds %v", name, p.Streams)
		}
		t.Logf("%s: %d segments", name, len(times))
	}
}
