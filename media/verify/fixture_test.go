package verify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/timeline"
)

// fixture describes a small good tree; tests break one thing of it. Pictures
// are not real (the NAL units have headers only), boxes and playlists are.
type fixture struct {
	rate     timeline.Rate
	gop      time.Duration
	gops     int64
	first    int64 // segment number; large for live
	segments int64
	short    int64 // frames of the last segment, 0: whole
	live     bool
	videos   []rung
	audio    bool
	channels int
	// captions of each rendition, in its first frame; declared in the master.
	captions map[string][]captions.Triplet
	declared []string
	texts    bool // subtitles, a cue over each boundary
	thumbs   bool
	// lock encrypts all by cenc: the pictures here have no headers for cbcs.
	lock *cmaf.Protection
	// lapses stand in the manifest; slate are the numbers that have the brand.
	lapses []dash.Lapse
	slate  map[int64]bool
	// promised: the manifest says so although nothing is.
	promised bool
	// Hooks break what they are given.
	fragment func(rendition string, number int64, f *cmaf.Fragment)
	config   func(rendition string, c *media.CodecConfig)
	initial  func(rendition string, init []byte) []byte
	text     func(path, playlist string) string
	// reps are collected by track, for the manifest.
	reps []dash.Representation
}

type rung struct {
	name          string
	k             int64
	width, height int
	codec         string
}

// vod is three segments of two GOPs at 50 and 25 fps, the last one short.
func vod() *fixture {
	return &fixture{rate: timeline.Rate{Num: 50, Den: 1}, gop: time.Second, gops: 2, segments: 3, short: 76, audio: true, channels: 2,
		videos: []rung{{"hi", 1, 96, 64, "h264"}, {"lo", 2, 96, 64, "h264"}}}
}

// onAir is the same as a live window of six segments.
func onAir() *fixture {
	f := vod()
	f.live, f.first, f.segments, f.short = true, 900_000_000, 6, 0
	return f
}

func (f *fixture) grid(t testing.TB) timeline.Grid {
	g, err := timeline.NewGrid(f.rate, f.gop, f.gops, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// files is the whole tree.
func (f *fixture) files(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	f.reps = nil
	master := "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
	var audioPeak, audioAverage int64
	audioCodec := ""
	if f.lock != nil {
		master += "#EXT-X-SESSION-KEY:" + keyTag + "\n"
	}
	if f.audio {
		m := f.track(t, out, "audio", nil)
		audioPeak, audioAverage, audioCodec = m.peak, m.average, ",mp4a.40.2"
		master += `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="English",LANGUAGE="en",URI="audio/media.m3u8",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"` + "\n"
	}
	for _, c := range f.declared {
		master += fmt.Sprintf("#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=%q,INSTREAM-ID=%q\n", c, c)
	}
	if f.texts {
		f.subtitles(t, out)
		master += "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English\",LANGUAGE=\"en\",URI=\"text/media.m3u8\"\n"
	}
	for _, v := range f.videos {
		m := f.track(t, out, v.name, &v)
		group := ""
		if f.audio {
			group = `,AUDIO="stereo"`
		}
		if len(f.declared) > 0 {
			group += `,CLOSED-CAPTIONS="cc"`
		}
		if f.texts {
			group += `,SUBTITLES="text"`
		}
		master += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=\"%s%s\",RESOLUTION=%dx%d,FRAME-RATE=%.3f%s\n%s/media.m3u8\n",
			m.peak+audioPeak, m.average+audioAverage, m.codec, audioCodec, v.width, v.height, float64(f.rate.Num)/float64(f.rate.Den*v.k), group, v.name)
		master += fmt.Sprintf("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=900,CODECS=\"%s\",RESOLUTION=%dx%d,URI=\"%s/iframes.m3u8\"\n", m.codec, v.width, v.height, v.name)
	}
	if f.thumbs {
		f.thumbnails(t, out)
	}
	out["master.m3u8"] = []byte(master)
	out["manifest.mpd"] = f.manifest(t)
	if f.text != nil {
		for _, p := range slices.Sorted(maps.Keys(out)) {
			if strings.HasSuffix(p, ".m3u8") || strings.HasSuffix(p, ".mpd") {
				out[p] = []byte(f.text(p, string(out[p])))
			}
		}
	}
	return out
}

type measured struct {
	codec         string
	peak, average int64
}

func (f *fixture) track(t testing.TB, out map[string][]byte, name string, v *rung) measured {
	t.Helper()
	g := f.grid(t)
	init := f.init(t, name, v, g.Timescale)
	out[name+"/"+init.Name] = init.Bytes
	head := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n",
		int(f.gop.Seconds())*int(f.gops), f.first)
	if !f.live {
		head += "#EXT-X-PLAYLIST-TYPE:VOD\n"
	}
	if f.lock != nil {
		head += "#EXT-X-KEY:" + keyTag + "\n"
	}
	list, iframes := head+"#EXT-X-MAP:URI=\""+init.Name+"\"\n", strings.Replace(head, "#EXT-X-MEDIA", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MEDIA", 1)+"#EXT-X-MAP:URI=\""+init.Name+"\"\n"
	m := measured{codec: init.Codecs}
	var size, length float64
	run := dash.Run{Init: init.Name, Codecs: init.Codecs, From: f.first, To: f.first + f.segments}
	for n := f.first; n < f.first+f.segments; n++ {
		fragments, seconds := f.video(g, n, v)
		if v == nil {
			fragments, seconds = f.sound(g, n)
		}
		for i := range fragments {
			if v != nil && n == f.first && i == 0 {
				s := &fragments[0].Samples[0]
				s.Data = captions.Insert(v.codec, s.Data, f.captions[name])
			}
			if f.fragment != nil {
				f.fragment(name, n, &fragments[i])
			}
		}
		seg, err := init.Cipher.Encode(name, n, fragments...)
		if err == nil && f.slate[n] {
			seg, err = seg.Slate()
		}
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprintf("%s/%d.m4s", name, n)] = seg.Bytes
		when := ""
		if f.live {
			when = "#EXT-X-PROGRAM-DATE-TIME:" + time.Unix(2*n, 0).UTC().Format(time.RFC3339) + "\n"
		}
		list += fmt.Sprintf("%s#EXTINF:%.6f,\n%d.m4s\n", when, seconds, n)
		for _, r := range seg.IFrames {
			iframes += fmt.Sprintf("%s#EXTINF:%.6f,\n#EXT-X-BYTERANGE:%d@%d\n%d.m4s\n", when, seconds/float64(len(seg.IFrames)), r.Size, r.Offset, n)
			when = ""
		}
		if !f.live {
			if n == f.first {
				run.Times = append(run.Times, fragments[0].Decode)
			}
			run.Times = append(run.Times, endOf(fragments))
		}
		size, length = size+float64(len(seg.Bytes)*8), length+seconds
		m.peak = max(m.peak, int64(float64(len(seg.Bytes)*8)/seconds))
	}
	m.average = int64(size / length)
	f.represent(name, v, m, run)
	end := ""
	if !f.live {
		end = "#EXT-X-ENDLIST\n"
	}
	out[name+"/media.m3u8"] = []byte(list + end)
	if v != nil {
		out[name+"/iframes.m3u8"] = []byte(iframes + end)
	}
	return m
}

func endOf(fragments []cmaf.Fragment) int64 {
	last := fragments[len(fragments)-1]
	return last.Decode + int64(len(last.Samples))*int64(last.Duration)
}

func (f *fixture) represent(name string, v *rung, m measured, run dash.Run) {
	r := dash.Representation{Name: name, Bandwidth: m.peak, Runs: []dash.Run{run}}
	if v == nil {
		r.Audio = &dash.Audio{Codec: "aac", Language: "en", Channels: f.channels, SampleRate: 48000, Default: true}
	} else {
		r.Video = &dash.Video{Codec: v.codec, Width: v.width, Height: v.height, Rate: f.rate.Div(v.k), Captions: f.declared}
	}
	if lock := f.lock; lock != nil || f.promised {
		if lock == nil {
			lock = testLock()
		}
		r.Protection = &dash.Protection{Scheme: lock.Scheme, KeyID: keys.ID(lock.KeyID).String()}
	}
	f.reps = append(f.reps, r)
}

func (f *fixture) manifest(t testing.TB) []byte {
	t.Helper()
	m := dash.Manifest{Grid: f.grid(t), Live: f.live, Start: time.Unix(2, 0), Window: int(f.segments), Published: time.Unix(1_800_000_000, 0), Representations: f.reps, Lapses: f.lapses}
	if f.texts && !f.live {
		m.Texts = []dash.Text{{Name: "text", File: "whole.vtt", Subtitles: dash.Subtitles{Language: "en"}}}
	}
	if f.thumbs {
		m.Tiles = &dash.Tiles{Name: "thumbnails", Width: 96, Height: 72, Columns: 3, Rows: 4, Ticks: m.Grid.Ticks(12 * 20), Bandwidth: 1}
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fixture) init(t testing.TB, name string, v *rung, timescale int64) cmaf.Init {
	t.Helper()
	clip, track := "h264_aac", 1
	if v != nil {
		track = 0
		if v.codec == "hevc" {
			clip = "hevc"
		}
	}
	tracks, err := cmaftest.Clip(clip)
	if err != nil {
		t.Fatal(err)
	}
	c := tracks[track].Config
	c.Extradata = bytes.Clone(c.Extradata)
	if f.config != nil {
		f.config(name, &c)
	}
	var init cmaf.Init
	if v == nil {
		init, err = cmaf.InitAudio(ladders.Audio{Codec: "aac", Channels: f.channels, SampleRate: 48000, Language: "en"}, c)
	} else {
		init, err = cmaf.InitVideo(ladders.Video{Codec: v.codec, Width: v.width, Height: v.height}, c, timescale)
	}
	if err != nil {
		t.Fatal(err)
	}
	if f.lock != nil {
		if init, err = init.Protect(*f.lock); err != nil {
			t.Fatal(err)
		}
	}
	if f.initial != nil {
		init.Bytes = f.initial(name, init.Bytes)
		init.Name = cmaf.InitName(init.Bytes)
	}
	return init
}

// framesOf segment n on the grid.
func (f *fixture) framesOf(g timeline.Grid, n int64) int64 {
	if f.short > 0 && n == f.first+f.segments-1 {
		return f.short
	}
	return g.FramesPerSegment()
}

// video is one fragment per GOP: I P B B P B B … in decode order.
func (f *fixture) video(g timeline.Grid, n int64, v *rung) ([]cmaf.Fragment, float64) {
	if v == nil {
		return nil, 0
	}
	total := (f.framesOf(g, n) + v.k - 1) / v.k
	perGOP, ticks := g.FramesPerGOP/v.k, g.FrameTicks()*v.k
	var out []cmaf.Fragment
	for from := int64(0); from < total; from += perGOP {
		count := min(perGOP, total-from)
		frag := cmaf.Fragment{Sequence: uint32(n*g.GOPsPerSegment + from/perGOP), Decode: g.Ticks(g.FirstFrame(n)) + from*ticks, Duration: uint32(ticks)}
		for i, shown := range order(count) {
			frag.Samples = append(frag.Samples, cmaf.Sample{Data: nal(v.codec, shown == 0), Offset: int32((shown - int64(i)) * ticks), Sync: shown == 0})
		}
		out = append(out, frag)
	}
	return out, float64(total*ticks) / float64(g.Timescale)
}

// order is the display index of each frame in decode order: 0, then groups of
// three with their last first.
func order(count int64) []int64 {
	out := []int64{0}
	for i := int64(1); i < count; i += 3 {
		last := min(i+2, count-1)
		out = append(out, last)
		for j := i; j < last; j++ {
			out = append(out, j)
		}
	}
	return out
}

func nal(codec string, idr bool) []byte {
	body := bytes.Repeat([]byte{0x55}, 20)
	header := []byte{0x41}
	switch {
	case codec == "hevc" && idr:
		header = []byte{19 << 1, 1}
	case codec == "hevc":
		header = []byte{1 << 1, 1}
	case idr:
		header, body = []byte{0x65}, bytes.Repeat([]byte{0x55}, 200)
	}
	nal := append(header, body...)
	return append([]byte{0, 0, 0, byte(len(nal))}, nal...)
}

func (f *fixture) sound(g timeline.Grid, n int64) ([]cmaf.Fragment, float64) {
	a := timeline.AudioGrid{SampleRate: 48000, FrameSize: 1024}
	first, next := a.FirstFrame(g, n), a.FirstFrame(g, n+1)
	if end := g.Ticks(g.FirstFrame(n) + f.framesOf(g, n)); f.short > 0 && n == f.first+f.segments-1 {
		next = a.FrameAtOrAfter(end, g.Timescale)
	}
	frag := cmaf.Fragment{Sequence: uint32(n), Decode: a.Sample(first), Duration: 1024}
	for range next - first {
		frag.Samples = append(frag.Samples, cmaf.Sample{Data: bytes.Repeat([]byte{0x21}, 30), Sync: true})
	}
	return []cmaf.Fragment{frag}, float64((next-first)*1024) / 48000
}

// write puts the tree on disk.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "job")
	for name, body := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// paper decodes on paper: it reads the boxes and says that every sample came
// out well. Tests spoil what it says.
type paper struct {
	spoil  func(*Frame) bool // false drops the frame
	errors int
	card   func(i int64) int64
	file   []Frame
}

func (p paper) Decode(_ context.Context, r io.Reader, each func(Frame)) (Summary, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return Summary{}, err
	}
	f, err := mp4.DecodeFile(bytes.NewReader(body))
	if err != nil {
		return Summary{Errors: 1, Messages: []string{err.Error()}}, nil
	}
	var out []Frame
	scale := int64(f.Init.Moov.Trak.Mdia.Mdhd.Timescale)
	video := f.Init.Moov.Trak.Mdia.Hdlr.HandlerType == "vide"
	for _, s := range f.Segments {
		for _, frag := range s.Fragments {
			samples, err := frag.GetFullSamples(f.Init.Moov.Mvex.Trex)
			if err != nil {
				return Summary{Errors: 1, Messages: []string{err.Error()}}, nil
			}
			for _, s := range samples {
				frame := Frame{Type: "audio", PTS: int64(s.DecodeTime) + int64(s.CompositionTimeOffset), TB: [2]int64{1, scale}, Samples: int64(s.Dur)}
				if video {
					frame.Type, frame.Samples = "video", 0
				}
				out = append(out, frame)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Frame) int { return int(a.PTS - b.PTS) })
	for i, frame := range out {
		if p.card != nil {
			n := p.card(int64(i))
			frame.Card = &n
		}
		if p.spoil == nil || p.spoil(&frame) {
			each(frame)
		}
	}
	return Summary{Frames: len(out), Errors: p.errors}, nil
}

func (p paper) DecodeFile(_ context.Context, _ string, each func(Frame)) (Summary, error) {
	for _, f := range p.file {
		each(f)
	}
	return Summary{Frames: len(p.file)}, nil
}

// footage is what a source with video and audio of these lengths decodes to.
func footage(frames, samples int64) []Frame {
	var out []Frame
	for i := range frames {
		out = append(out, Frame{Type: "video", PTS: i, TB: [2]int64{1, 50}})
	}
	for at := int64(0); at < samples; at += 1024 {
		out = append(out, Frame{Type: "audio", PTS: at, TB: [2]int64{1, 48000}, Samples: min(1024, samples-at)})
	}
	return out
}
