package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/media"
)

const (
	l4      = "NVIDIA L4 (driver twin)"
	geforce = "NVIDIA GeForce RTX 4090"
)

func tried(model string, sessions ...media.GPUSession) trial {
	return trial{gpu: gpu.GPU{UUID: "GPU-1", Model: model, Memory: 24 << 30}, driver: "550.144.03", report: media.GPUReport{Device: "GPU-1", Sessions: sessions}}
}

func refused(why media.GPUTrouble, said string) media.GPUSession {
	return media.GPUSession{Encoder: "h264_nvenc", Depth: 8, Trouble: why, Said: said}
}

// A role is claimed with evidence only; what is ambiguous is said so (users-ask 3, 5, 6).
func TestOffersAreJudged(t *testing.T) {
	h264, hevc := media.GPUSession{Encoder: "h264_nvenc", Depth: 8}, media.GPUSession{Encoder: "hevc_nvenc", Depth: 8}
	ten := media.GPUSession{Encoder: "hevc_nvenc", Depth: 10}
	none := refused(media.GPUNoNVENC, "OpenEncodeSessionEx failed: unsupported device (2): (no details)")
	closed := tried(l4)
	closed.report.Trouble, closed.report.Said = media.GPUNoDevice, "cuInit(0) failed -> CUDA_ERROR_NO_DEVICE"
	rigid := tried(l4, h264, hevc)
	rigid.report.Trouble, rigid.report.Said = media.GPUBroken, "scale pictures: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
	hung := tried(l4)
	hung.err = errors.New("the driver hangs")
	for _, c := range []struct {
		name  string
		trial trial
		role  string
		says  string
	}{
		{"encodes", tried(l4, h264, hevc, ten), "encode", "encoded with h264_nvenc, hevc_nvenc (10 bits too)"},
		{"not everything", tried(l4, h264, media.GPUSession{Encoder: "av1_nvenc", Depth: 8, Trouble: media.GPULacks, Said: "Codec not supported"}, media.GPUSession{Encoder: "av1_nvenc", Depth: 10, Trouble: media.GPULacks, Said: "Codec not supported"}), "encode", "h264_nvenc; not with av1_nvenc (Codec not supported)"},
		{"not in 10 bits", tried(l4, h264, hevc, media.GPUSession{Encoder: "hevc_nvenc", Depth: 10, Trouble: media.GPULacks, Said: "10 bit encode not supported"}), "encode", "; not with hevc_nvenc in 10 bits (10 bit encode not supported)"},
		{"decodes", tried("NVIDIA H200", none), "decode-only", "this model has no NVENC, and opening a session says so too (OpenEncodeSessionEx failed: unsupported device (2))"},
		{"decodes, without the library too", tried("NVIDIA H100 PCIe", refused(media.GPUNoLibrary, "Cannot load libnvidia-encode.so.1")), "decode-only", "Cannot load"},
		{"a model that nobody knows", tried("NVIDIA MX350", none), "decode-only", "if this model has, give its container the encoder"},
		{"withheld", tried(l4, none), "unusable", "NVIDIA_DRIVER_CAPABILITIES=all"},
		{"the cap is reached", tried(geforce, refused(media.GPURefused, "out of memory (10)")), "unusable", "about 8 together"},
		{"refused without a cap", tried(l4, refused(media.GPURefused, "out of memory (10)")), "unusable", "memory or a fault of the driver"},
		{"refused, without an encoder", tried("NVIDIA H200", refused(media.GPURefused, "out of memory (10)")), "unusable", "refuses an encode session"},
		{"no memory", tried(l4, refused(media.GPUNoMemory, "CreateBitstreamBuffer failed: out of memory (10)")), "unusable", "its memory is used up"},
		{"old", tried(l4, refused(media.GPUOldDriver, "Required: 12.1 Found: 12.0")), "unusable", "install 530.41.03 or newer (Required: 12.1 Found: 12.0)"},
		{"no access", closed, "unusable", "/dev/nvidia*"},
		{"encodes and does not scale", rigid, "unusable", "scale pictures: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
		{"hangs", hung, "unusable", "the driver hangs"},
		{"nothing was tried", tried(l4), "unusable", "no encoder was tried"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.trial.offer()
			if o.GetRole() != c.role || !strings.Contains(o.GetRoleReason(), c.says) {
				t.Errorf("%s: %s", o.GetRole(), o.GetRoleReason())
			}
			if able := c.role == "encode"; (len(o.GetEncoders()) > 0) != able || (o.GetEncodePixelsPerSecond() > 0) != able || strings.HasPrefix(o.GetCapacitySource(), "catalogue") != able {
				t.Errorf("offers %v", o)
			}
			if o.GetMemoryBytes() != 24<<30 || o.GetLost() {
				t.Errorf("offers %v", o)
			}
		})
	}
}

// The sessions of a host are as many while one of its cards cannot be used.
func TestLimitsHoldInEveryRole(t *testing.T) {
	closed := tried(geforce)
	closed.report.Trouble = media.GPUNoDevice
	for _, trial := range []trial{tried(geforce, refused(media.GPURefused, "")), closed, {gpu: closed.gpu, driver: closed.driver, err: errHung}} {
		if o := trial.offer(); o.GetRole() != roleUnusable || o.GetMaxSessions() != 8 || !o.GetSessionsShared() {
			t.Errorf("%v", o)
		}
	}
	if o := tried("NVIDIA H200", refused(media.GPUNoNVENC, "")).offer(); o.GetMaxSessions() != 0 || o.GetSessionsShared() {
		t.Errorf("a card without a limit: %v", o)
	}
}

func TestOffersNameTheirLimits(t *testing.T) {
	h264 := media.GPUSession{Encoder: "h264_nvenc", Depth: 8}
	if o := tried(l4, h264).offer(); o.GetMaxSessions() != 0 || o.GetSessionsShared() {
		t.Errorf("an L4 has a limit: %v", o)
	}
	o := tried(geforce, h264, media.GPUSession{Encoder: "hevc_nvenc", Depth: 8, Trouble: media.GPUBroken}, media.GPUSession{Encoder: "hevc_nvenc", Depth: 10}).offer()
	if o.GetMaxSessions() != 8 || !o.GetSessionsShared() {
		t.Errorf("a consumer card: %v", o)
	}
	if !slices.Equal(o.GetEncoders(), []string{"h264_nvenc"}) || len(o.GetTenBitEncoders()) > 0 {
		t.Errorf("10 bits without 8: %v", o)
	}
}
