package libav

import (
	"context"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// A live track of sound that pauses sends nothing, and its segments would wait
// for what comes after. The picture is the clock: where it has gone on for so long
// (liveSkew) that no interleaving explains it, the track is told that nothing
// came. It is told in its own queue, so that what was read before comes before.

// pauseStep is how often a track is told, in µs.
const pauseStep = 500_000

// decodesAt is when a packet decodes, or is shown where it does not say.
func decodesAt(p *astiav.Packet) int64 {
	if at := p.Dts(); at != noPTS {
		return at
	}
	return p.Pts()
}

// pauses looks at packet p of track t, whose times are put right.
func (s *fileSource) pauses(ctx context.Context, t *fileTrack, p *astiav.Packet) error {
	at := decodesAt(p)
	if !s.hush || at == noPTS {
		return nil
	}
	us := timeline.Rescale(at, t.clock.base, microseconds)
	if !t.video {
		t.heard, t.hushed = us, us
		return nil
	}
	for _, other := range s.all {
		until := us - liveSkew*1e6
		if other.packet != nil && other.heard == noPTS {
			other.heard, other.hushed = us, us // nothing came yet: it pauses from here
			continue
		}
		if other.packet == nil || other.heard == noPTS || until < other.hushed+pauseStep {
			continue
		}
		other.hushed = until
		if err := other.put(ctx, queued{pause: &until}); err != nil {
			return err
		}
	}
	return nil
}
