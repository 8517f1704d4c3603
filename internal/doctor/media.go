package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// ffmpeg is what `gala-worker version --json` prints.
type ffmpeg struct {
	Version       string   `json:"ffmpeg"`
	Configuration string   `json:"configuration"`
	License       string   `json:"license"`
	Encoders      []string `json:"encoders"`
}

const rebuild = "run `make build`: it puts gala, gala-agent and gala-worker into one folder"

// worker asks gala-worker for its FFmpeg and encoders.
func (m Machine) worker(ctx context.Context) []Finding {
	out, err := output(ctx, m.Worker, "version", "--json")
	if err != nil {
		return []Finding{{"FFmpeg", Missing, fmt.Sprintf("%s: %v", m.Worker, err), rebuild}}
	}
	var f ffmpeg
	if err := json.Unmarshal(out, &f); err != nil {
		return []Finding{{"FFmpeg", Missing, fmt.Sprintf("%s is of another build: %v", m.Worker, err), rebuild}}
	}
	return []Finding{
		f.build(),
		f.codec("H.264", "make FFMPEG_LICENSE=gpl build links x264; H.264 needs it or an NVIDIA GPU", "libx264", "h264_nvenc"),
		f.codec("HEVC", "make FFMPEG_LICENSE=gpl build links x265; HEVC needs it or an NVIDIA GPU", "libx265", "hevc_nvenc"),
		f.codec("AV1", "AV1 ladders need SVT-AV1 or an NVIDIA GPU of the Ada generation or later", "libsvtav1", "av1_nvenc"),
	}
}

func (f ffmpeg) build() Finding {
	found := fmt.Sprintf("%s, %s", f.Version, f.License)
	if !strings.HasPrefix(f.Version, "9.0") {
		return Finding{"FFmpeg", Warn, found, "the farm is tested with FFmpeg 9.0; " + rebuild}
	}
	return Finding{"FFmpeg", OK, found, ""}
}

// codec: that NVENC is in the build says nothing about this machine.
func (f ffmpeg) codec(name, do, cpu, gpu string) Finding {
	nvenc := ""
	if slices.Contains(f.Encoders, gpu) {
		nvenc = "; " + gpu + " for an NVIDIA GPU that has it"
	}
	if slices.Contains(f.Encoders, cpu) {
		return Finding{name, OK, cpu + nvenc, ""}
	}
	return Finding{name, Warn, "not on the CPU" + nvenc, do}
}

// devices asks gala-agent for what it would offer.
func (m Machine) devices(ctx context.Context) []Finding {
	out, err := output(ctx, m.Agent, "devices", "--json")
	if err != nil {
		return []Finding{{"devices", Missing, fmt.Sprintf("%s: %v", m.Agent, err), rebuild}}
	}
	var hello galav1.Hello
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(out, &hello); err != nil {
		return []Finding{{"devices", Missing, fmt.Sprintf("%s is of another build: %v", m.Agent, err), rebuild}}
	}
	var found []Finding
	gpus := 0
	for _, d := range hello.GetDevices() {
		if d.GetId() != "cpu" {
			gpus++
		}
		found = append(found, device(d))
	}
	return append(found, driver(hello.GetLabels(), gpus))
}

func device(d *galav1.DeviceOffer) Finding {
	f := Finding{Name: d.GetId(), Status: OK, Found: d.GetModel() + ": " + d.GetRole()}
	if len(d.GetEncoders()) > 0 {
		f.Found += " with " + strings.Join(d.GetEncoders(), ", ")
	}
	if d.GetMaxSessions() > 0 {
		f.Found += fmt.Sprintf(", at most %d encode sessions", d.GetMaxSessions())
		if d.GetSessionsShared() {
			f.Found += " on all consumer cards of this host together"
		}
	}
	if d.GetRole() != "encode" {
		f.Status, f.Do = Warn, d.GetRoleReason()
	}
	return f
}

func driver(labels map[string]string, gpus int) Finding {
	version, why := labels["nvidia_driver"], labels["gpu_reason"]
	switch {
	case version == "":
		return Finding{"GPU", Warn, "none: " + orElse(why, "no NVIDIA driver"), "the CPU encodes; with an NVIDIA GPU here, install its driver"}
	case gpus == 0:
		return Finding{"GPU", Warn, "none, with driver " + version + ": " + orElse(why, "no device"), "look at `nvidia-smi -L`; in a container, give it the GPU"}
	case why != "":
		return Finding{"GPU", Warn, "driver " + version, why}
	}
	return Finding{"GPU", OK, fmt.Sprintf("%d with driver %s", gpus, version), ""}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
