package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
)

// reading is what a reader that is not ours makes of one rendition.
type reading struct {
	Codec         string
	Width, Height int
	Frames        int
	Seconds       float64
}

// rungs is what the ladder below must be: 250 pictures at 25 a second, and the
// AAC frames of 1024 samples that cover ten seconds.
var rungs = map[string]reading{
	"480p":   {"h264", 854, 480, 250, 10},
	"360p":   {"h264", 640, 360, 250, 10},
	"240p":   {"h264", 426, 240, 250, 10},
	"stereo": {"aac", 0, 0, 469, 469 * 1024.0 / 48000},
}

// Readers of other people agree on what was written: libavformat as a player
// over HTTP, the same as a decoder of everything, MediaInfo on the fragments,
// GStreamer as a player of both lists.
func TestIndependentReaders(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("vod", "queue", "--id", "card", "--ladder", "mini", "testcard:?size=854x480&duration=10s", "--wait")
	done(t, f, c, "card")
	t.Run("ffprobe master", func(t *testing.T) { probesMaster(t, f.Origin("card/master.m3u8")) })
	for name, want := range rungs {
		t.Run("ffprobe "+name, func(t *testing.T) { agrees(t, probe(t, f.Origin("card/"+name+"/media.m3u8")), want) })
		t.Run("mediainfo "+name, func(t *testing.T) {
			agrees(t, mediainfo(t, joined(t, filepath.Join(f.Data, "origin", "card", name))), want)
		})
	}
	t.Run("ffprobe manifest", func(t *testing.T) { probesManifest(t, f.Origin("card/manifest.mpd")) })
	t.Run("gstreamer master", func(t *testing.T) { gstreamer(t, "hlsdemux", f.Origin("card/master.m3u8")) })
	t.Run("gstreamer manifest", func(t *testing.T) { gstreamer(t, "dashdemux", f.Origin("card/manifest.mpd")) })
	t.Run("ffmpeg decodes", func(t *testing.T) {
		if out := tool(t, "ffmpeg", "-nostdin", "-v", "warning", "-i", f.Origin("card/master.m3u8"), "-map", "0", "-f", "null", "-"); out != "" {
			t.Errorf("ffmpeg has something to say:\n%s", out)
		}
	})
}

func agrees(t *testing.T, got, want reading) {
	t.Helper()
	if math.Abs(got.Seconds-want.Seconds) > 0.021 { // an audio frame
		t.Errorf("%.3f s, want %.3f s", got.Seconds, want.Seconds)
	}
	got.Seconds = want.Seconds
	if got != want {
		t.Errorf("read as %+v, want %+v", got, want)
	}
}

// tool runs a reader and returns all that it says.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed; make deps installs it", name)
	}
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// probed is the part of ffprobe's answer that is looked at.
type probed struct {
	Programs []struct{ Streams []stream }
	Streams  []stream
	Packets  []packet
	Format   struct{ Duration string }
}

type packet struct {
	PTS      string `json:"pts_time"`
	Duration string `json:"duration_time"`
}

type stream struct {
	Codec         string `json:"codec_name"`
	Width, Height int
	Rate          string `json:"r_frame_rate"`
	Start         string `json:"start_time"`
	Frames        string `json:"nb_read_frames"`
}

func ffprobe(t *testing.T, url string, args ...string) probed {
	t.Helper()
	var p probed
	text := tool(t, "ffprobe", append(append([]string{"-v", "error", "-of", "json"}, args...), url)...)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return p
}

// probesMaster: every variant is a programme with its picture and its sound.
func probesMaster(t *testing.T, url string) {
	t.Helper()
	p := ffprobe(t, url, "-show_programs", "-show_format")
	if p.Format.Duration == "" || math.Abs(number(t, p.Format.Duration)-10) > 0.1 {
		t.Errorf("the master lasts %q s, want 10", p.Format.Duration)
	}
	var heights []int
	for _, variant := range p.Programs {
		for _, s := range variant.Streams {
			if s.Height > 0 {
				heights = append(heights, s.Height)
				startsNearZero(t, s)
			}
		}
		if !slices.ContainsFunc(variant.Streams, func(s stream) bool { return s.Codec == "aac" }) {
			t.Errorf("a variant without sound: %+v", variant)
		}
	}
	sort.Ints(heights)
	if !slices.Equal(heights, []int{240, 360, 480}) {
		t.Errorf("variants of heights %v", heights)
	}
}

// probesManifest reads the DASH side, where the reader was built with libxml2.
func probesManifest(t *testing.T, url string) {
	t.Helper()
	if !strings.Contains(tool(t, "ffmpeg", "-hide_banner", "-demuxers"), " dash ") {
		t.Skip("SKIPPED LOUDLY: this ffprobe reads no DASH")
	}
	p := ffprobe(t, url, "-show_streams", "-show_format")
	if math.Abs(number(t, p.Format.Duration)-10) > 0.1 {
		t.Errorf("the manifest lasts %q s, want 10", p.Format.Duration)
	}
	var got []string
	for i := range p.Streams {
		// One at a time: together its demuxer leaves out the last pictures of some.
		s := ffprobe(t, url, "-show_streams", "-count_frames", "-select_streams", strconv.Itoa(i)).Streams[0]
		got = append(got, fmt.Sprintf("%s %dx%d %s", s.Codec, s.Width, s.Height, s.Frames))
	}
	var want []string
	for _, r := range rungs {
		want = append(want, fmt.Sprintf("%s %dx%d %d", r.Codec, r.Width, r.Height, r.Frames))
	}
	sort.Strings(got)
	sort.Strings(want)
	if !slices.Equal(got, want) {
		t.Errorf("read as %q, want %q", got, want)
	}
}

// startsNearZero: libavformat shifts a fragment by its largest negative
// composition offset, two or three frames with B-pictures; more is a mistake.
func startsNearZero(t *testing.T, s stream) {
	t.Helper()
	if start := number(t, s.Start); start < 0 || start > 3.5/25 {
		t.Errorf("%s %dx%d starts at %s s", s.Codec, s.Width, s.Height, s.Start)
	}
	if s.Height > 0 && s.Rate != "25/1" {
		t.Errorf("%dx%d has the rate %s, want 25/1", s.Width, s.Height, s.Rate)
	}
}

// gstreamer plays picture and sound with its own reader of playlists; every
// picture gives a line with its time and a hash.
func gstreamer(t *testing.T, demuxer, url string) {
	t.Helper()
	samples := filepath.Join(t.TempDir(), "samples")
	out := tool(t, "gst-launch-1.0", strings.Fields("souphttpsrc location="+url+" ! "+demuxer+" connection-speed=100000 name=tree"+
		" tree. ! queue ! decodebin ! video/x-raw ! checksumsink sync=false"+
		" tree. ! queue ! decodebin ! audio/x-raw ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! filesink location="+samples)...)
	if pictures := len(hashed.FindAllString(out, -1)); pictures != rungs["480p"].Frames {
		t.Errorf("%s shows %d pictures, want %d", demuxer, pictures, rungs["480p"].Frames)
	}
	if strings.Contains(out, "WARNING") || strings.Contains(out, "ERROR") {
		t.Errorf("%s has something to say:\n%s", demuxer, out)
	}
	sound, err := os.Stat(samples)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(rungs["stereo"].Frames * 1024 * 2); sound.Size() != want {
		t.Errorf("%s plays %d bytes of sound, want %d", demuxer, sound.Size(), want)
	}
}

var hashed = regexp.MustCompile(`(?m)^\d:\d\d:[\d.]+ [0-9a-f]{40}$`)

// probe decodes one rendition by its media playlist. Its length is from the
// first presentation time to the end of the last.
func probe(t *testing.T, url string) reading {
	t.Helper()
	p := ffprobe(t, url, "-count_frames", "-show_streams", "-show_packets")
	if len(p.Streams) != 1 || len(p.Packets) == 0 {
		t.Fatalf("%s: %d streams, %d packets", url, len(p.Streams), len(p.Packets))
	}
	s := p.Streams[0]
	startsNearZero(t, s)
	first, end := math.Inf(1), math.Inf(-1)
	for _, packet := range p.Packets {
		at, last := number(t, packet.PTS), 1024.0/48000
		if packet.Duration != "" { // of sound that is not decoded it knows none
			last = number(t, packet.Duration)
		}
		first, end = min(first, at), max(end, at+last)
	}
	// The shift may grow by whole pictures where a later fragment needs more.
	if over := end - first - 10; s.Height > 0 && over > 0 && over < 3.5/25 {
		end -= math.Round(over*25) / 25
	}
	return reading{s.Codec, s.Width, s.Height, int(number(t, s.Frames)), end - first}
}

// joined is a rendition as one file: its init segment and its segments.
func joined(t *testing.T, dir string) string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "init-*.mp4"))
	if len(files) != 1 {
		t.Fatalf("init segments %v, want one", files)
	}
	for n := 0; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf("%d.m4s", n))
		if _, err := os.Stat(name); err != nil {
			break
		}
		files = append(files, name)
	}
	var all []byte
	for _, name := range files {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part...)
	}
	out := filepath.Join(t.TempDir(), "joined.mp4")
	if err := os.WriteFile(out, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

func mediainfo(t *testing.T, file string) reading {
	t.Helper()
	var answer struct {
		Media struct{ Track []map[string]any }
	}
	if err := json.Unmarshal([]byte(tool(t, "mediainfo", "--Output=JSON", file)), &answer); err != nil {
		t.Fatal(err)
	}
	codecs := map[string]string{"AVC": "h264", "AAC": "aac"}
	for _, track := range answer.Media.Track {
		value := func(key string) float64 {
			text, _ := track[key].(string)
			if text == "" {
				return 0
			}
			return number(t, text)
		}
		if kind := track["@type"]; kind == "Video" || kind == "Audio" {
			format, _ := track["Format"].(string)
			return reading{codecs[format], int(value("Width")), int(value("Height")), int(value("FrameCount")), value("Duration")}
		}
	}
	t.Fatalf("mediainfo finds no track in %+v", answer)
	return reading{}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
