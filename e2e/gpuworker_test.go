package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

const gpuLadder = `name: gpu
segment: {live: 2s, vod: 2s}
video:
  - {name: 540p, height: 540, codec: h264, bitrate: 2000k, preset: balanced}
  - {name: 270p, height: 270, codec: h264, bitrate: 700k, preset: fast}
  - {name: 360p-hevc, height: 360, codec: hevc, bitrate: 600k, preset: quality}
audio:
  - {name: stereo, codec: aac, channels: 2, bitrate: 96k}
`

// gpuAssignment is a clip on a GPU, as placement would have it.
func gpuAssignment(t *testing.T, clip, device, out string) *galav1.Assignment {
	t.Helper()
	found := &galav1.ProbeResult{}
	text, err := exec.Command(farm.Binary(t, "gala-worker"), "probe", "--json", clip).Output()
	if err == nil {
		err = protojson.Unmarshal(text, found)
	}
	if err != nil {
		t.Fatalf("probe: %v\n%s", err, text)
	}
	source, err := wire.Source(found.GetSource())
	if err != nil {
		t.Fatal(err)
	}
	ladder, err := ladders.Parse("gpu.yaml", []byte(gpuLadder))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ladders.Resolve(ladder, source, ladders.VOD)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Renditions {
		if x.Video != nil {
			x.Video.Encoder = x.Video.Codec + "_nvenc"
		}
	}
	return &galav1.Assignment{
		Id: "a1", Job: "flower", Kind: galav1.JobKind_JOB_KIND_VOD, Epoch: 1, Input: clip, Source: found.GetSource(), Grid: wire.GridProto(r.Grid),
		Renditions: wire.RenditionProtos(r.Renditions), Device: device, WritesManifest: true, AllowedSources: []string{"*"},
		Outputs: []*galav1.Output{{Url: "file://" + out}},
	}
}

// A worker whose assignment names a GPU makes a clip's ladder on it, which `gala
// verify` passes; every IDR picture says that the driver twin made it, so none came
// from the processor.
func TestWorkerOnAGPU(t *testing.T) {
	libraries := twinLibraries(t)
	clip := filepath.Join(farm.Media(t), "flower_540p2997_h264_aac.mp4")
	spec, err := twin.Parse("l4:2")
	if err != nil {
		t.Fatal(err)
	}
	cards, err := twin.New(filepath.Join(t.TempDir(), "twin"), libraries, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cards.Close() })
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "flower")
	device := spec.Devices[1].UUID
	text, err := protojson.Marshal(gpuAssignment(t, clip, device, out))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "assignment.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	worker := exec.CommandContext(t.Context(), farm.Binary(t, "gala-worker"), "run", "--dir", dir)
	worker.Env = append(cards.Environment(os.Environ()), "CUDA_VISIBLE_DEVICES="+device)
	said, err := worker.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, log)
	}
	wantFinished(t, dir, log)
	verdict, err := exec.CommandContext(t.Context(), farm.Binary(t, "gala"), "verify", out, "--source", clip).CombinedOutput()
	if err != nil {
		t.Errorf("gala verify: %v\n%s", err, verdict)
	}
	t.Logf("%s", verdict)
	for _, r := range []string{"540p", "270p", "360p-hevc"} {
		segments, err := filepath.Glob(filepath.Join(out, r, "*.m4s"))
		if err != nil || len(segments) != 3 {
			t.Errorf("%s: segments %v, %v", r, segments, err)
		}
		for _, s := range segments {
			b, err := os.ReadFile(s)
			if err != nil || !bytes.Contains(b, []byte("gala driver twin")) {
				t.Errorf("%s is not the twin's: %v", s, err)
			}
		}
	}
	if strings.Contains(string(log), "level=ERROR") || strings.Contains(string(log), "ookahead not enabled") || strings.Contains(string(log), "lipping lookahead") {
		t.Errorf("the worker's log:\n%s", log)
	}
}

func wantFinished(t *testing.T, dir string, log []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "outcome.json"))
	var o struct{ Code, Message string }
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil || o.Code != "OUTCOME_CODE_FINISHED" {
		t.Fatalf("outcome %+v, %v\n%s", o, err, log)
	}
}
