package libav

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shelf is forty seconds of the clip with codes as segments of two seconds each,
// on a server that shows them as time passes.
type shelf struct {
	*httptest.Server
	dir   string
	began time.Time
	// show writes a list at the moment when so many segments are there.
	show map[string]func(there int) string
	// change is applied to what is served.
	change func(name string, body []byte) []byte
}

// shelfFirst are there from the start: a follower joins three before the end.
const shelfFirst, shelfLast, shelfSeconds = 3, 20, 2

func newShelf(t *testing.T, args ...string) *shelf {
	t.Helper()
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NO FFMPEG PROGRAM at %s: source tools/setup/env.sh to run this test", program)
	}
	s := &shelf{dir: t.TempDir(), began: time.Now(), show: map[string]func(int) string{}}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-stream_loop", fmt.Sprint(shelfLast - 1),
		"-i", filepath.Join(mediaDir(t), waveFile), "-c", "copy"}, args...)...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	s.began = time.Now()
	return s
}

// there is how many segments there are by now.
func (s *shelf) there() int {
	return min(shelfLast, shelfFirst+int(time.Since(s.began)/(shelfSeconds*time.Second)))
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if show := s.show[name]; show != nil {
		_, _ = w.Write([]byte(show(s.there())))
		return
	}
	body, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if s.change != nil {
		body = s.change(name, body)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// wantPulled follows a shelf for 100 frames and finds each once, in order.
func wantPulled(t *testing.T, name string) {
	t.Helper()
	r := hold(t, name)
	spec := patient(liveFrom(t, name, r))
	out, p := watchLive(t, spec, r, 100)
	wantOnce(t, spec, out)
	if st := p.Status(); st.Doubled != 0 || st.Dropped != 0 || st.Damaged != 0 || r.Stats().Sessions != 1 {
		t.Errorf("%d doubled, %d dropped, %d damaged, %d sessions; %v", st.Doubled, st.Dropped, st.Damaged, r.Stats().Sessions, st.Notes)
	}
}

// Segments of TS, each under AES-128 with its number as the vector, the key
// another every second segment.
func TestPullsEncryptedPlaylists(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_filename", "%d.ts", "all.m3u8")
	keyOf := func(n int) string { return fmt.Sprintf("key%d", n/2%2) }
	for i, n := range []int{0, 2} {
		if err := os.WriteFile(filepath.Join(s.dir, keyOf(n)), bytes.Repeat([]byte{byte(i + 1)}, 16), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.change = func(name string, body []byte) []byte {
		var n int
		if _, err := fmt.Sscanf(name, "%d.ts", &n); err != nil {
			return body
		}
		key, _ := os.ReadFile(filepath.Join(s.dir, keyOf(n)))
		block, _ := aes.NewCipher(key)
		pad := 16 - len(body)%16
		body = append(body, bytes.Repeat([]byte{byte(pad)}, pad)...)
		iv := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(n))
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)
		return body
	}
	s.show["live.m3u8"] = func(there int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:%d\n", max(0, there-6))
		for n := max(0, there-6); n < there; n++ {
			fmt.Fprintf(&b, "#EXT-X-KEY:METHOD=AES-128,URI=%q\n#EXTINF:2,\n%d.ts\n", keyOf(n), n)
		}
		return b.String()
	}
	wantPulled(t, s.URL+"/live.m3u8")
}

// mpdHead begins a manifest whose first segment was there at the shelf's start
// minus the three that were there already.
func (s *shelf) mpdHead() string {
	return fmt.Sprintf(`<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" availabilityStartTime="%s" minimumUpdatePeriod="PT1S" minBufferTime="PT2S">`,
		s.began.Add(-shelfFirst*shelfSeconds*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"))
}

const mpdSet = `<AdaptationSet contentType="%s"><Representation id="%d" bandwidth="1"><SegmentTemplate %s initialization="init-stream$RepresentationID$.m4s" media="chunk-stream$RepresentationID$-$Number%%05d$.m4s">%s</SegmentTemplate></Representation></AdaptationSet>`

// mpdSets are picture and sound of a Period from a number on.
func mpdSets(attributes, timeline string) string {
	return fmt.Sprintf(mpdSet, "audio", 1, attributes, timeline) + fmt.Sprintf(mpdSet, "video", 0, attributes, timeline)
}

// Every kind of address, and Periods, over the very segments of FFmpeg's muxer. Each
// has a shelf of its own, whose time begins when it is its turn.
func TestPullsManifests(t *testing.T) {
	for name, show := range map[string]func(s *shelf, there int) string{
		"number": func(s *shelf, _ int) string {
			return s.mpdHead() + `<Period id="1" start="PT0S">` + mpdSets(`timescale="1000" duration="2000"`, "") + `</Period></MPD>`
		},
		"timeline": func(s *shelf, there int) string {
			return s.mpdHead() + `<Period id="1" start="PT0S">` + mpdSets(`timescale="10"`, fmt.Sprintf(`<SegmentTimeline><S t="0" d="20" r="%d"/></SegmentTimeline>`, there-1)) + `</Period></MPD>`
		},
		"periods": func(s *shelf, _ int) string {
			return s.mpdHead() + `<Period id="1" start="PT0S" duration="PT8S">` + mpdSets(`timescale="1000" duration="2000"`, "") +
				`</Period><Period id="2" start="PT8S">` + mpdSets(`timescale="1000" duration="2000" presentationTimeOffset="8000" startNumber="5"`, "") + `</Period></MPD>`
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, "-f", "dash", "-seg_duration", "2", "-use_template", "1", "-use_timeline", "0", "all.mpd")
			s.show["live.mpd"] = func(there int) string { return show(s, there) }
			wantPulled(t, s.URL+"/live.mpd")
		})
	}
}
