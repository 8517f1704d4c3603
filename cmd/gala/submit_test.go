package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
)

// sent are the specs that the farm was given, oldest first.
func sent(t *testing.T, address string) []*galav1.JobSpec {
	t.Helper()
	c, err := client.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var specs []*galav1.JobSpec
	for job, err := range c.List(t.Context(), client.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		specs = append([]*galav1.JobSpec{job.GetSpec()}, specs...)
	}
	return specs
}

// inDir works in an empty directory.
func inDir(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatSubmitSends(t *testing.T) {
	dir := inDir(t)
	if err := os.WriteFile("my.yaml", []byte(sampleLadder), 0o644); err != nil {
		t.Fatal(err)
	}
	live, vod, allowed := galav1.JobKind_JOB_KIND_LIVE, galav1.JobKind_JOB_KIND_VOD, galav1.CpuPolicy_CPU_POLICY_ALLOWED
	tests := []struct {
		args []string
		want []*galav1.JobSpec
	}{
		{[]string{"live", "submit", "--id", "derby", "--input", "srt://h:9000?mode=caller,x", "--backup", "b.ts", "--backup", "http://h/b", "--ladder", "sports", "--to", "out,1", "--to", "https://o/live", "--cpu", "only", "--window", "1m"},
			[]*galav1.JobSpec{{Id: "derby", Kind: live, Input: "srt://h:9000?mode=caller,x", Backups: []string{dir + "/b.ts", "http://h/b"}, Ladder: "sports", Destinations: []string{dir + "/out,1", "https://o/live"}, Cpu: galav1.CpuPolicy_CPU_POLICY_ONLY, Redundancy: 1, WindowSeconds: 60}}},
		{[]string{"live", "submit", "--input", "testcard:?fps=25&size=1280x720", "--ladder", "my.yaml"},
			[]*galav1.JobSpec{{Id: "testcard", Kind: live, Input: "testcard:?fps=25&size=1280x720", Ladder: "my.yaml", LadderYaml: sampleLadder, Cpu: allowed, Redundancy: 1, WindowSeconds: 900}}},
		{[]string{"vod", "queue", "clip.mp4"},
			[]*galav1.JobSpec{{Id: "clip", Kind: vod, Input: dir + "/clip.mp4", Ladder: "hd", Cpu: allowed}}},
		{[]string{"vod", "queue", "--id", "heat", "--priority", "9", "a.mp4", "sub/b,c.mp4"},
			[]*galav1.JobSpec{{Id: "heat-1", Kind: vod, Input: dir + "/a.mp4", Ladder: "hd", Cpu: allowed, Priority: 9}, {Id: "heat-2", Kind: vod, Input: dir + "/sub/b,c.mp4", Ladder: "hd", Cpu: allowed, Priority: 9}}},
		{[]string{"vod", "queue", "--", "-x.mp4", "--wait"},
			[]*galav1.JobSpec{{Id: "x", Kind: vod, Input: dir + "/-x.mp4", Ladder: "hd", Cpu: allowed}, {Id: "wait", Kind: vod, Input: dir + "/--wait", Ladder: "hd", Cpu: allowed}}},
		{[]string{"vod", "queue", "./-x.mp4"},
			[]*galav1.JobSpec{{Id: "x", Kind: vod, Input: dir + "/-x.mp4", Ladder: "hd", Cpu: allowed}}},
		{[]string{"vod", "queue", "a/final.mp4", "b/final.mov"},
			[]*galav1.JobSpec{{Id: "final", Kind: vod, Input: dir + "/a/final.mp4", Ladder: "hd", Cpu: allowed}, {Id: "final-2", Kind: vod, Input: dir + "/b/final.mov", Ladder: "hd", Cpu: allowed}}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			address := (&fakefarm.Farm{}).Serve(t)
			if got := gala(t, address, tt.args...); got.code != 0 {
				t.Fatalf("%+v", got)
			}
			if diff := cmp.Diff(tt.want, sent(t, address), protocmp.Transform()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

const sampleLadder = "name: mine\nvideo:\n  - {name: 360p, height: 360, codec: h264, bitrate: 800k}\n"

func TestJobFile(t *testing.T) {
	dir := inDir(t)
	if err := os.Mkdir("jobs", 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) string {
		file := filepath.Join("jobs", "job.yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	address := (&fakefarm.Farm{}).Serve(t)
	file := write("id: derby\ninput: derby.ts\nbackup: [/b.ts]\nladder: mini\nto: [../out]\ncpu: never\nwindow: 2m\n")
	if got := gala(t, address, "live", "submit", "-f", file); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	want := []*galav1.JobSpec{{Id: "derby", Kind: galav1.JobKind_JOB_KIND_LIVE, Input: dir + "/jobs/derby.ts", Backups: []string{"/b.ts"},
		Ladder: "mini", Destinations: []string{dir + "/out"}, Cpu: galav1.CpuPolicy_CPU_POLICY_NEVER, WindowSeconds: 120}}
	if diff := cmp.Diff(want, sent(t, address), protocmp.Transform()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"inptu: x\n", "id: a\n", "input: x\ncpu: maybe\n", "input: x\nwindow: 48h\n", "input: [\n", ""} {
		if got := gala(t, address, "live", "submit", "-f", write(bad)); got.code != exitUsage {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestTheSameAgainIsNoError(t *testing.T) {
	inDir(t)
	address := (&fakefarm.Farm{}).Serve(t)
	gala(t, address, "vod", "queue", "clip.mp4")
	got := gala(t, address, "vod", "queue", "clip.mp4")
	if got.code != 0 || !strings.Contains(got.out, "clip: the same job exists and is accepted") {
		t.Errorf("%+v", got)
	}
	got = gala(t, address, "vod", "queue", "--id", "clip", "other.mp4")
	if got.code != exitFailed || !strings.Contains(got.err, "exists") {
		t.Errorf("%+v", got)
	}
}

func TestAFileThatIsNotHereIsANote(t *testing.T) {
	dir := inDir(t)
	got := gala(t, (&fakefarm.Farm{}).Serve(t), "vod", "queue", "clip.mp4")
	if got.code != 0 || !strings.Contains(got.err, dir+"/clip.mp4 does not exist on this machine") {
		t.Errorf("%+v", got)
	}
}

const sampleKeys = "keys:\n- {id: 4a3d1e88-0b5c-4c4e-9d55-7e8f9a0b1c2d, key: 000102030405060708090a0b0c0d0e0f}\n"

// The job says where the keys are, as a path that the farm can use; it never
// has a key.
func TestEncryptedJobs(t *testing.T) {
	dir := inDir(t)
	for name, text := range map[string]string{"keys.yaml": sampleKeys, "job.yaml": "id: derby\ninput: \"testcard:\"\nencrypt: cenc\nkeys: keys.yaml\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"cbcs " + dir + "/keys.yaml":              {"vod", "queue", "--encrypt", "cbcs", "--keys", "keys.yaml", "testcard:"},
		"cenc " + dir + "/keys.yaml":              {"live", "submit", "-f", "job.yaml"},
		"cenc https://keys.example.com/#widevine": {"live", "submit", "--encrypt", "cenc", "--keys", "https://keys.example.com/#widevine", "--input", "testcard:"},
	} {
		address := (&fakefarm.Farm{}).Serve(t)
		if got := gala(t, address, args...); got.code != 0 {
			t.Fatalf("%v: %+v", args, got)
		}
		specs := sent(t, address)
		if got := specs[0].GetProtection().GetScheme() + " " + specs[0].GetProtection().GetKeys(); got != want {
			t.Errorf("%v: protection %q, want %q", args, got, want)
		}
		if strings.Contains(specs[0].String(), "0b0c0d") {
			t.Errorf("the job holds the key: %v", specs[0])
		}
	}
}

func TestHalfAnEncryption(t *testing.T) {
	inDir(t)
	for name, text := range map[string]string{"keys.yaml": sampleKeys, "bad.yaml": "keys:\n- {id: 1, key: 2}\n", "job.yaml": "input: \"testcard:\"\nencrypt: cbcs\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	address := (&fakefarm.Farm{}).Serve(t)
	for want, args := range map[string][]string{
		"needs keys":        {"vod", "queue", "--encrypt", "cbcs", "testcard:"},
		"stay in the clear": {"vod", "queue", "--keys", "keys.yaml", "testcard:"},
		"want cbcs or cenc": {"vod", "queue", "--encrypt", "aes", "--keys", "keys.yaml", "testcard:"},
		"keys[0]: id":       {"vod", "queue", "--encrypt", "cbcs", "--keys", "bad.yaml", "testcard:"},
		"cbcs needs keys":   {"live", "submit", "-f", "job.yaml"},
	} {
		if got := gala(t, address, args...); got.code != exitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%v: %+v, want %q", args, got, want)
		}
	}
}

// A ladder's logos go with the job, read beside the ladder; `ladder check` and
// submits tell what is wrong with one, and where it is named.
func TestLogosAreSent(t *testing.T) {
	inDir(t)
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 8, 4))); err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("brand/art", 0o755); err != nil {
		t.Fatal(err)
	}
	write("brand/art/channel.png", logo.Bytes())
	branded := sampleLadder + "overlays:\n  - {logo: art/channel.png}\n  - {text: \"{timecode}\"}\n"
	write("brand/mine.yaml", []byte(branded))
	write("brand/missing.yaml", []byte(sampleLadder+"overlays: [{logo: none.png}]\n"))
	write("brand/damaged.yaml", []byte(sampleLadder+"overlays: [{logo: damaged.png}]\n"))
	write("brand/damaged.png", []byte("GIF89a"))
	address := (&fakefarm.Farm{}).Serve(t)
	for _, args := range [][]string{{"vod", "queue", "clip.mp4"}, {"live", "submit", "--input", "testcard:"}} {
		if got := gala(t, address, append(args, "--ladder", "brand/mine.yaml")...); got.code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	want := []*galav1.Logo{{Name: "art/channel.png", Png: logo.Bytes()}}
	for _, s := range sent(t, address) {
		if diff := cmp.Diff(want, s.GetLogos(), protocmp.Transform()); diff != "" || s.GetLadderYaml() != branded {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	}
	for file, says := range map[string]string{
		"brand/missing.yaml": "brand/missing.yaml:4:19: overlays[0].logo: logo: open brand/none.png: no such file",
		"brand/damaged.yaml": "brand/damaged.yaml:4:19: overlays[0].logo: logo brand/damaged.png: not usable as a logo: want a PNG file",
	} {
		for _, args := range [][]string{{"ladder", "check", file}, {"ladder", "show", file}, {"vod", "queue", "clip.mp4", "--ladder", file}} {
			if got := gala(t, address, args...); got.code == 0 || !strings.Contains(got.err, says) {
				t.Errorf("%v: %+v, want %q", args, got, says)
			}
		}
	}
	if got := gala(t, address, "ladder", "check", "brand/mine.yaml"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := gala(t, address, "ladder", "show", "brand/mine.yaml"); !strings.Contains(got.out, "overlay {logo: \"art/channel.png\", at: top-right, width: 12%") {
		t.Errorf("shown as %+v", got)
	}
}
