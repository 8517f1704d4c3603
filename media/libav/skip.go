package libav

import (
	"context"
	"slices"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// skip spares a resumed clip the decoding of pictures that nobody wants. All of
// the source is read, and its sound decoded, from the start: the line of a
// track's samples and the noise that decoders fill in (AAC, AC-3) depend on all
// that came before. Pictures are decoded from a key frame on that leans on
// nothing before it, so they come out as they would have.
//
// One group of pictures is held at a time. What a decoder's history could turn
// on - timestamps that are missing, twice there or going back, packets known to
// be damaged - ends the skipping while the group it is in is still held.
type skip struct {
	limit  int64 // µs: decoding begins here at the latest
	prefix int   // bytes of a NAL unit's length, 0 for start codes
	held   []*astiav.Packet
	size   int
	latest int64        // µs: the latest picture so far
	begins bool         // held begins with a key frame
	passed int64        // packets that were let go of
	note   func(string) // says why nothing can be skipped
	count  func(int64)  // packets let go of: reading on is progress too
}

// maxHeld bounds the pictures that wait for the next key frame, in bytes.
const maxHeld = 64 << 20

// skipTo lets pictures be skipped of which nothing from µs on depends.
func (s *fileSource) skipTo(us int64) { s.skipUS = &us }

func (s *fileSource) newSkip(stream *astiav.Stream) *skip {
	cp := stream.CodecParameters()
	return &skip{limit: *s.skipUS, prefix: lengthBytes(cp.CodecID(), cp.ExtraData()), latest: -1 << 62, note: s.note, count: func(n int64) { s.skipped.Add(n) }}
}

// put takes what would go to the track's decoder.
func (k *skip) put(ctx context.Context, t *fileTrack, q queued) error {
	if q.pkt == nil { // another decoder: pictures before it are not for this one
		k.prefix = 0
		return k.end(ctx, t, "the pictures go on in another stream", q)
	}
	if why := k.doubt(q.pkt); why != "" {
		return k.end(ctx, t, why, q)
	}
	at := k.time(t, q.pkt.Pts())
	if k.key(t, q.pkt) && at <= k.limit {
		why := k.repeated(t)
		if at <= k.latest {
			why = "timestamps go back"
		}
		if why != "" {
			return k.end(ctx, t, why, q)
		}
		k.drop()
		k.begins = true
	}
	k.latest = max(k.latest, at)
	if decodes(q.pkt) != noPTS && k.time(t, decodes(q.pkt)) > k.limit || k.size > maxHeld {
		return k.end(ctx, t, "", q)
	}
	k.held, k.size = append(k.held, q.pkt), k.size+q.pkt.Size()
	return nil
}

// doubt is why a packet's group must be decoded, "" for none.
func (k *skip) doubt(p *astiav.Packet) string {
	switch {
	case p.Pts() == noPTS:
		return "pictures lack timestamps"
	case p.Flags().Has(astiav.PacketFlagCorrupt):
		return "packets are damaged"
	}
	return ""
}

// repeated: two of the held pictures have one time.
func (k *skip) repeated(t *fileTrack) string {
	times := make([]int64, len(k.held))
	for i, p := range k.held {
		times[i] = p.Pts()
	}
	slices.Sort(times)
	if len(slices.Compact(times)) < len(k.held) {
		return "pictures have the same timestamp"
	}
	return ""
}

func (k *skip) key(t *fileTrack, p *astiav.Packet) bool {
	return p.Flags().Has(astiav.PacketFlagKey) && standsAlone(t.codec, p.Data(), k.prefix)
}

func (k *skip) time(t *fileTrack, ts int64) int64 {
	return timeline.Rescale(ts, t.clock.base, microseconds)
}

// decodes is when a packet is decoded, as far as it says.
func decodes(p *astiav.Packet) int64 {
	if p.Dts() != noPTS {
		return p.Dts()
	}
	return p.Pts()
}

// end hands over what is held, then the rest (queued alone when there is any),
// and skips no more.
func (k *skip) end(ctx context.Context, t *fileTrack, why string, rest ...queued) error {
	t.skip = nil
	if k.passed == 0 {
		k.note(resumedLate(why, k.begins))
	}
	held := k.held
	k.held = nil
	var err error
	for _, p := range held {
		if err != nil {
			p.Free()
			continue
		}
		err = t.put(ctx, queued{pkt: p})
	}
	for _, q := range rest {
		if err != nil {
			q.free()
			continue
		}
		err = t.put(ctx, q)
	}
	return err
}

// resumedLate says why a resumed clip is decoded from its start.
func resumedLate(why string, keys bool) string {
	switch {
	case why != "":
	case keys:
		why = "there is no other key frame before"
	default:
		why = "no key frame before stands alone (open GOP)"
	}
	return "resumed by decoding all pictures from the start: " + why
}

func (k *skip) drop() {
	k.passed += int64(len(k.held))
	k.count(int64(len(k.held)))
	for _, p := range k.held {
		p.Free()
	}
	k.held, k.size = nil, 0
}
