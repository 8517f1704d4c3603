package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/gpu/catalogue"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// trial is what trying a GPU has come to.
type trial struct {
	gpu    gpu.GPU
	driver string // its version
	report media.GPUReport
	err    error // why there is no report
}

// offer is what the evidence allows: encoders that have encoded here, or a role
// with the reason for it. A trial that was refused says nothing about the silicon.
func (t trial) offer() *galav1.DeviceOffer {
	offer := emptyOffer(t.gpu, t.driver)
	if t.err != nil {
		return unusable(offer, t.err.Error())
	}
	if t.report.Trouble != "" {
		return unusable(offer, t.words(t.report.Trouble, t.report.Said))
	}
	for _, s := range t.report.Sessions {
		switch {
		case s.Trouble != "":
		case s.Depth == 10:
			offer.TenBitEncoders = append(offer.TenBitEncoders, s.Encoder)
		default:
			offer.Encoders = append(offer.Encoders, s.Encoder)
			if z := s.Sizes; z != (media.PictureSizes{}) {
				offer.EncoderSizes = append(offer.EncoderSizes, &galav1.EncoderSizes{Encoder: s.Encoder,
					LeastWidth: uint32(z.LeastWidth), LeastHeight: uint32(z.LeastHeight), MostWidth: uint32(z.MostWidth), MostHeight: uint32(z.MostHeight)})
			}
		}
	}
	// 10 bits count only beside 8: a rung of 8 bits is what everyone has.
	offer.TenBitEncoders = slices.DeleteFunc(offer.TenBitEncoders, func(e string) bool { return !slices.Contains(offer.Encoders, e) })
	if len(offer.Encoders) > 0 {
		return t.encodes(offer)
	}
	return t.encodesNot(offer)
}

// emptyOffer has what holds in every role: the sessions that consumer cards of a host
// share are not more because one of them cannot be used now.
func emptyOffer(g gpu.GPU, driver string) *galav1.DeviceOffer {
	most := uint32(catalogue.Sessions(g.Model, driver))
	return &galav1.DeviceOffer{Id: g.UUID, Model: g.Model, MemoryBytes: g.Memory, MaxSessions: most, SessionsShared: most > 0}
}

func (t trial) encodes(offer *galav1.DeviceOffer) *galav1.DeviceOffer {
	offer.Role = roleEncode
	offer.EncodePixelsPerSecond, offer.CapacitySource = catalogue.Capacity(t.gpu.Model)
	var have, lack []string
	later := ""
	for _, e := range offer.Encoders {
		if slices.Contains(offer.TenBitEncoders, e) {
			e += " (10 bits too)"
		}
		have = append(have, e)
	}
	for _, s := range t.report.Sessions {
		switch able := slices.Contains(offer.Encoders, s.Encoder); {
		case s.Trouble == "":
		case passing(s.Trouble):
			later = fmt.Sprintf("; %s in %d bits, and encoders after it, are tried again later (%s)", s.Encoder, s.Depth, s.Said)
		case s.Depth == 8:
			lack = append(lack, fmt.Sprintf("%s (%s)", s.Encoder, s.Said))
		case able:
			lack = append(lack, fmt.Sprintf("%s in %d bits (%s)", s.Encoder, s.Depth, s.Said))
		}
	}
	offer.RoleReason = "encoded with " + strings.Join(have, ", ")
	if len(lack) > 0 {
		offer.RoleReason += "; not with " + strings.Join(lack, ", ")
	}
	offer.RoleReason += later
	return offer
}

// encodesNot: the GPU opened, and no encoder did. What its model is known to have
// decides between a card without an encoder and one that does not give it.
func (t trial) encodesNot(offer *galav1.DeviceOffer) *galav1.DeviceOffer {
	var last media.GPUSession
	if n := len(t.report.Sessions); n > 0 {
		last = t.report.Sessions[n-1]
	}
	card, known := catalogue.Find(t.gpu.Model)
	said := strings.TrimSuffix(strings.TrimSuffix(last.Said, ": (no details)"), ".")
	switch none := last.Trouble == media.GPUNoNVENC || last.Trouble == media.GPUNoLibrary; {
	case none && known && card.NVENC == 0:
		offer.Role = roleDecodeOnly
		offer.RoleReason = fmt.Sprintf("this model has no NVENC, and opening a session says so too (%s); a CUDA context opens, for decoding and scaling", said)
	case last.Trouble == media.GPUNoNVENC && !known:
		offer.Role = roleDecodeOnly
		offer.RoleReason = fmt.Sprintf("the driver says that it has no NVENC (%s); if this model has, give its container the encoder: NVIDIA_DRIVER_CAPABILITIES=all", said)
	default:
		return unusable(offer, t.words(last.Trouble, last.Said))
	}
	return offer
}

// words say what is wrong and what to do next, with what the driver said in brackets.
func (t trial) words(trouble media.GPUTrouble, said string) string {
	text, ok := map[media.GPUTrouble]string{
		media.GPUNoLibrary: "a library of the NVIDIA driver is missing: install the whole driver; in a container set NVIDIA_DRIVER_CAPABILITIES=all",
		media.GPUNoDevice:  "CUDA cannot use it: give gala-agent's user, or its container, access to /dev/nvidia*, and look whether its compute mode is exclusive",
		media.GPUOldDriver: "the NVIDIA driver is too old: install 530.41.03 or newer",
		media.GPUNoNVENC:   "this model has NVENC and the driver does not give it: in a container set NVIDIA_DRIVER_CAPABILITIES=all",
		media.GPURefused:   t.refused(),
		media.GPUNoMemory:  "its memory is used up: end what else runs on it",
	}[trouble]
	switch {
	case ok:
		return fmt.Sprintf("%s (%s)", text, said)
	case said != "":
		return "encoding on it fails: " + said
	}
	return "no encoder was tried on it"
}

// refused: "out of memory (10)" of a session is the limit on consumer cards, and
// on others memory indeed.
func (t trial) refused() string {
	if most := catalogue.Sessions(t.gpu.Model, t.driver); most > 0 {
		return fmt.Sprintf("the driver refuses an encode session: all consumer cards of this host have about %d together, and other programs have taken them; end some", most)
	}
	return "the driver refuses an encode session, which on this card means its memory or a fault of the driver: end what else runs on it"
}
