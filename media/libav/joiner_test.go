package libav

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// listener checks what comes out of a joiner of so many mono tracks of 48 kHz:
// every sample is its track's, or silent in the pause.
type listener struct {
	*joiner
	t        *testing.T
	at       int64 // samples so far
	from, to int64 // of the pause, in seconds
	wrong    int
}

func joined(t *testing.T, tracks int, live bool) *listener {
	t.Helper()
	a, infos := ladders.Audio{Channels: tracks, SampleRate: 48000}, []AudioInfo(nil)
	for i := range tracks {
		a.Map = append(a.Map, ladders.Channel{Track: i + 1, Channel: 1})
		infos = append(infos, AudioInfo{SampleRate: 48000, Channels: 1, Base: timeline.Timebase{Num: 1, Den: 48000}})
	}
	l := &listener{t: t}
	l.joiner = newJoiner(a, infos, live, l.hear)
	t.Cleanup(l.close)
	return l
}

func (l *listener) hear(f *astiav.Frame) error {
	if f.NbSamples() > 4*joinAt || f.Pts() != l.at {
		l.t.Errorf("%d samples at %d, want some at %d", f.NbSamples(), f.Pts(), l.at)
	}
	lines, err := planar(f)
	for track, line := range lines {
		for i, got := range line {
			want, n := sampleOf(track, l.at+int64(i)), l.at+int64(i)
			if n >= l.from*48000 && n < l.to*48000 {
				want = 0
			}
			if got != want && l.wrong < 5 {
				l.wrong++
				l.t.Errorf("track %d: sample %d is %v, want %v", track, n, got, want)
			}
		}
	}
	l.at += int64(f.NbSamples())
	return err
}

// ends hands out the rest, which has to be whole.
func (l *listener) ends(seconds int64) {
	l.t.Helper()
	if err := l.flush(); err != nil {
		l.t.Fatal(err)
	}
	if l.at != seconds*48000 {
		l.t.Errorf("%d samples came out, want %d s", l.at, seconds)
	}
}

// sample n of a track, as no other of its last few minutes or of its neighbours.
func sampleOf(track int, n int64) float32 {
	return float32(track+1)/16 + float32(n%(1<<18))/(1<<23)
}

// say brings a track's samples of some seconds, in frames of 1200.
func say(t *testing.T, j *joiner, track int, from, to int64) {
	t.Helper()
	for n := from * 48000; n < to*48000; n += 1200 {
		f := astiav.AllocFrame()
		f.SetSampleFormat(astiav.SampleFormatFlt)
		f.SetChannelLayout(astiav.ChannelLayoutMono)
		f.SetSampleRate(48000)
		f.SetNbSamples(1200)
		f.SetPts(n)
		x := make([]float32, 1200)
		for i := range x {
			x[i] = sampleOf(track, n+int64(i))
		}
		err := f.AllocBuffer(0)
		if err == nil {
			err = f.Data().SetBytes(floatBytes(x), 1)
		}
		if err == nil {
			err = j.put(track, f)
		}
		f.Free()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Ten minutes in which no track has sound is counted: memory holds what was
// said around it.
func TestAPauseOfAllTracksTakesNoMemory(t *testing.T) {
	for name, live := range map[string]bool{"file": false, "live": true} {
		t.Run(name, func(t *testing.T) {
			j := joined(t, 4, live)
			j.from, j.to = 2, 602
			most := int64(0)
			for _, s := range [][2]int64{{0, 2}, {602, 604}} {
				for track := range 4 {
					say(t, j.joiner, track, s[0], s[1])
					most = max(most, j.held.memory)
				}
			}
			j.ends(604)
			if most > 4*4*48000*4 || j.held.file != nil || j.held.memory != 0 {
				t.Errorf("held %d bytes at most, %d at the end, file %v", most, j.held.memory, j.held.file)
			}
		})
	}
}

// A file may have one track long before the other, or all of it. Nothing is
// lost, and what memory should not hold is on disk, in room that is used again.
func TestTracksFarApartInAFileAreWhole(t *testing.T) {
	for _, apart := range []int64{90, 240} {
		j := joined(t, 3, false)
		j.held.most = 20 * 4 * 48000 // seconds of one track
		most := int64(0)
		for at := int64(0); at < 240; at += apart {
			for track := range 3 {
				say(t, j.joiner, track, at, min(at+apart, 240))
				most = max(most, j.held.memory)
			}
		}
		j.ends(240)
		if most > j.held.most+6*4*48000 {
			t.Errorf("%d s apart: %d bytes in memory", apart, most)
		}
		if j.held.file == nil || j.held.places > 2*apart || int64(len(j.held.free)) != j.held.places {
			t.Errorf("%d s apart: %d places on disk, %d of them free", apart, j.held.places, len(j.held.free))
		}
	}
}

// A live source waits for nobody: what one track lacks is silence, and what
// comes of it too late is left out.
func TestALiveTrackIsNotWaitedForLong(t *testing.T) {
	j := joined(t, 2, true)
	j.wrong = 5 // the other track is silent at first
	say(t, j.joiner, 0, 0, 10)
	if j.at < 6*48000 || j.at > 7*48000 {
		t.Errorf("%d samples came out, want 10 s less what one waits", j.at)
	}
	j.wrong = 0
	say(t, j.joiner, 1, 0, 10)
	j.ends(10)
}

// A clip whose tracks lie 80 s apart, from a server that is read from its start
// only: every channel is what its track is alone.
func TestAClipWhoseTracksLieFarApart(t *testing.T) {
	file := farApart(t)
	s := httptest.NewServer(&flaky{file: file})
	defer s.Close()
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, s.URL+"/clip.mov", facts)
	spec.Renditions = []ladders.Rendition{
		aac("pair", func(a *ladders.Audio) { a.Map = []ladders.Channel{{Track: 1, Channel: 1}, {Track: 2, Channel: 1}} }),
		aac("0", func(a *ladders.Audio) { a.Channels, a.Bitrate = 1, 128_000 }),
		aac("1", func(a *ladders.Audio) { a.Channels, a.Bitrate, a.Track = 1, 128_000, 1 }),
	}
	out, _ := play(t, Options{Spec: spec})
	pair := linesOf(t, out.configs["pair"], out.packets["pair"])
	for i, name := range []string{"0", "1"} {
		alone := linesOf(t, out.configs[name], out.packets[name])[0]
		if len(out.packets[name]) != len(out.packets["pair"]) {
			t.Errorf("%d frames joined, %d of track %s", len(out.packets["pair"]), len(out.packets[name]), name)
		}
		for at := 0; at+48000 <= len(alone); at += 48000 {
			if d := apart(alone[at:at+48000], pair[i][at:at+48000], 1); d < 15 {
				t.Errorf("track %s, second %d: what is off is only %.1f dB below it", name, at/48000, d)
			}
		}
	}
}

// farApart is a clip of two tones in fragments: the first are short, so that both
// tracks are seen, the others hold 80 s of one track and then of the other.
func farApart(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	part := func(name, from, seconds, fragment string) []byte {
		file := filepath.Join(dir, name)
		args := []string{"-v", "error", "-copyts"}
		for _, hz := range []string{"300", "700"} {
			args = append(args, "-f", "lavfi", "-i", "sine=frequency="+hz+":sample_rate=48000:duration=164,atrim=start="+from+":duration="+seconds)
		}
		args = append(args, "-map", "0", "-map", "1", "-c:a", "pcm_s16le", "-movflags", "empty_moov+default_base_moof+frag_discont", "-frag_duration", fragment, "-max_interleave_delta", "0", file)
		if out, err := exec.Command(ffmpegTool(t), args...).CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v: %s", file, err, out)
		}
		return read(t, file)
	}
	head, rest := part("head.mov", "0", "4", "500000"), part("rest.mov", "4", "160", "80000000")
	cut := bytes.Index(head, []byte("mfra")) - 4
	if cut < 0 {
		cut = len(head)
	}
	whole := append(head[:cut:cut], rest[bytes.Index(rest, []byte("moof"))-4:]...)
	file := filepath.Join(dir, "clip.mov")
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
