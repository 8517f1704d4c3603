package packager_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/media/verify"
	"github.com/galafarm/gala/timeline"
)

// realClip is a file whose key frames happen to sit on a grid.
type realClip struct {
	name         string
	rate         timeline.Rate
	gop          int64 // frames
	carried      bool  // by cmaftest, not by the media set
	gopsPerPiece int64
}

func (c realClip) read(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join("..", "cmaf", "cmaftest", "testdata", c.name)
	if !c.carried {
		var ok bool
		if file, ok = cmaftest.Shared(c.name); !ok {
			t.Skipf("the media set is not at hand (GALA_MEDIA, or shared/media/open above): %s not packaged", c.name)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRealMedia packages frames of real encoders; our verifier finds nothing,
// and FFmpeg decodes the tree to the very pictures of the file.
func TestRealMedia(t *testing.T) {
	for _, c := range []realClip{
		{"h264_aac.mp4", timeline.Rate{Num: 25, Den: 1}, 25, true, 2},
		{"hevc.mp4", timeline.Rate{Num: 25, Den: 1}, 25, true, 1},
		{"av1.mp4", timeline.Rate{Num: 25, Den: 1}, 25, true, 1},
		{"flower_540p2997_h264_aac.mp4", timeline.Rate{Num: 30000, Den: 1001}, 90, false, 1},
		{"bbb_720p25_aac51.mp4", timeline.Rate{Num: 25, Den: 1}, 150, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source := c.read(t)
			dir := t.TempDir()
			packageFile(t, c, source, dir)
			report, err := verify.Run(t.Context(), verify.Options{Target: dir})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if r.Status == verify.Fail && !ofTheSource(r.ID) {
					t.Errorf("%s: %s %v", r.ID, r.Title, r.Findings)
				}
			}
			samePictures(t, source, dir)
		})
	}
}

// ofTheSource are rules about what went in: one rung is no ladder, and the
// sound of a file may be shorter than its pictures.
func ofTheSource(rule string) bool {
	return slices.Contains([]string{"apple-9.9", "apple-8.3", "apple-8.7"}, rule)
}

func packageFile(t *testing.T, c realClip, source []byte, dir string) {
	t.Helper()
	tracks, err := cmaftest.Read(source)
	if err != nil {
		t.Fatal(err)
	}
	g := timeline.Grid{Rate: c.rate, FramesPerGOP: c.gop, GOPsPerSegment: c.gopsPerPiece, Timescale: c.rate.Num}
	var rungs []ladders.Rendition
	for _, tr := range tracks {
		if tr.Width > 0 {
			rungs = append(rungs, videoRendition("v", tr))
		} else {
			rungs = append(rungs, audioRendition("a", tr))
		}
	}
	sink, err := publish.OpenDir(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, vodSpec(g, dir, rungs...), nil, sink)
	for i, tr := range tracks {
		feed(t, p, rungs[i].Name, tr, tr.Packets)
	}
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// samePictures compares the decoded frames of both, hash by hash.
func samePictures(t *testing.T, source []byte, dir string) {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg on this machine: the tree was not decoded by an independent reader")
	}
	file := filepath.Join(t.TempDir(), "source.mp4")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		t.Fatal(err)
	}
	want, got := frameHashes(t, ffmpeg, file), frameHashes(t, ffmpeg, filepath.Join(dir, "v", "media.m3u8"))
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("%d frames decoded, the file has %d", len(got), len(want))
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame %d differs", i)
			return
		}
	}
}

func frameHashes(t *testing.T, ffmpeg, input string) []string {
	t.Helper()
	var complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-allowed_extensions", "ALL", "-i", input, "-map", "0:v:0", "-an",
		"-fps_mode", "passthrough", "-f", "framemd5", "-")
	if !strings.HasSuffix(input, ".m3u8") {
		cmd.Args = append(cmd.Args[:3], cmd.Args[5:]...)
	}
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Errorf("%s: %v: %s", input, err, complaints.String())
	}
	var hashes []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			hashes = append(hashes, strings.TrimSpace(line[strings.LastIndex(line, ",")+1:]))
		}
	}
	return hashes
}

// An open GOP or an irregular one is refused by name, not packaged.
func TestIrregularFileIsRefused(t *testing.T) {
	c := realClip{name: "foreman_720p23976_hevc_opengop.mp4"}
	tracks, err := cmaftest.Read(c.read(t))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, vodSpec(grid(t, "23.976", time.Second, 1), "mem", videoRendition("v", tracks[0])), nil, newMemory())
	if err := p.Init("v", tracks[0].Config); err != nil {
		t.Fatal(err)
	}
	for _, pkt := range tracks[0].Packets {
		if err = p.Write(t.Context(), "v", pkt); err != nil {
			break
		}
	}
	mustBe(t, err, media.EncoderError, "frame ")
	t.Log(err)
}
