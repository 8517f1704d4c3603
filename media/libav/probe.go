package libav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/ring"
)

// Probe opens an input and decodes until every track has shown a frame or its
// budget is spent. Every error is a *media.Error with advice.
func Probe(ctx context.Context, name string, rules input.Rules) (Info, error) {
	if strings.HasPrefix(name, input.TestCard) {
		card, err := parseCard(name)
		if err != nil {
			return Info{}, err
		}
		return card.info(), nil
	}
	rules.Glance = true
	d, err := openDemuxer(ctx, name, rules)
	if err != nil {
		return Info{}, err
	}
	return probe(ctx, d)
}

// ProbeRing is Probe for a live source that an ingest holds.
func ProbeRing(ctx context.Context, name string, open OpenRing) (Info, error) {
	return probeRingFrom(ctx, name, open, ring.Oldest)
}

// probeRingFrom begins at a source time.
func probeRingFrom(ctx context.Context, name string, open OpenRing, from int64) (Info, error) {
	d, err := openRing(ctx, name, open, from)
	if err != nil {
		return Info{}, err
	}
	d.live = true
	return probe(ctx, d)
}

func probe(ctx context.Context, d *demuxer) (Info, error) {
	defer d.Close()
	p := newProber(d)
	defer p.Close()
	if err := p.run(ctx); err != nil {
		return Info{}, err
	}
	return p.info()
}

// What a probe may read before it settles for what it saw.
const (
	probePackets    = 4000
	liveTimestamps  = 24 // each costs a live source a frame of time
	probeTimestamps = 240
	probeBytes      = 64 << 20
)

type prober struct {
	d      *demuxer
	tracks map[int]*probeTrack
	text   []TextInfo
	notes  notes
}

type probeTrack struct {
	s     *astiav.Stream
	video *VideoInfo
	audio *AudioInfo
	dec   *decoder
	err   error
	seen  bool
	pts   []int64
	// packets counts what the demuxer delivered, missing those without a timestamp.
	packets, missing int
	captions         []captioned
}

func newProber(d *demuxer) *prober {
	p := &prober{d: d, tracks: map[int]*probeTrack{}}
	wanted := d.wanted()
	for _, s := range d.fc.Streams() {
		if wanted != nil && !wanted[s.Index()] {
			continue
		}
		cp := s.CodecParameters()
		t := &probeTrack{s: s}
		switch cp.MediaType() {
		case astiav.MediaTypeVideo:
			if s.DispositionFlags().Has(astiav.DispositionFlagAttachedPic) {
				p.notes.add("a cover picture was ignored")
				continue
			}
			t.video = videoInfo(s)
		case astiav.MediaTypeAudio:
			t.audio = audioInfo(s)
		case astiav.MediaTypeSubtitle:
			p.subtitles(s)
			continue
		default:
			continue
		}
		t.dec, t.err = openDecoder(s, 1)
		p.tracks[s.Index()] = t
		d.clock.stream(s)
	}
	return p
}

func (p *prober) run(ctx context.Context) error {
	if n := input.Program(p.d.name); n > 0 && p.d.wanted() != nil && len(p.d.wanted()) == 0 {
		return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s has no programme %d", input.Display(p.d.name), n), Advice: "it has " + p.d.programmes()}
	}
	if len(p.tracks) == 0 {
		return &media.Error{Code: media.SourceError, Message: "source " + input.Display(p.d.name) + " holds neither video nor audio", Advice: "give a file with at least one video or audio track"}
	}
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	bytes := 0
	began := time.Now()
	for n := 0; n < probePackets && bytes < probeBytes && !p.satisfied(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.d.live && time.Since(began) > liveProbe && p.seen() {
			return nil
		}
		if err := p.d.next(pkt); err != nil {
			p.drain()
			if errors.Is(err, io.EOF) {
				return p.begun()
			}
			return err
		}
		bytes += pkt.Size()
		p.packet(pkt)
		pkt.Unref()
	}
	return nil
}

// begun: a clip that grows may stand before its pictures or its sound begin,
// which are not to be left out for that.
func (p *prober) begun() error {
	if !input.Grows(p.d.name) {
		return nil
	}
	waits, seen := map[bool]*probeTrack{}, map[bool]bool{} // by whether it is video
	for _, t := range p.tracks {
		if t.seen {
			seen[t.video != nil] = true
		} else if t.err == nil {
			waits[t.video != nil] = t
		}
	}
	for video, t := range waits {
		if !seen[video] {
			return &media.Error{Code: media.SourceError, Message: "source " + input.Display(p.d.name) + " has only begun: " + t.reason(), Advice: "submit it when it holds a few seconds", Retryable: true}
		}
	}
	return nil
}

func (p *prober) packet(pkt *astiav.Packet) {
	t := p.tracks[pkt.StreamIndex()]
	if t == nil {
		return
	}
	t.packets++
	if t.dec != nil && !t.seen && encryptedPacket(pkt) {
		t.dec.Close()
		t.dec, t.err = nil, errEncrypted
	}
	if pkt.Pts() == noPTS {
		t.missing++
	}
	if t.video != nil && pkt.Pts() != noPTS && len(t.pts) < probeTimestamps {
		t.pts = append(t.pts, pkt.Pts())
	}
	if t.video != nil {
		t.caption(pkt)
	}
	if t.dec != nil && !t.seen {
		_ = t.dec.decode(pkt, t.frame)
	}
}

func (p *prober) timestamps() int {
	if p.d.live {
		return liveTimestamps
	}
	return probeTimestamps
}

func (p *prober) drain() {
	for _, t := range p.tracks {
		if t.dec != nil && !t.seen {
			_ = t.dec.decode(nil, t.frame)
		}
	}
}

// liveProbe is how long a live source is looked at once a track was seen: what
// is silent for so long is left out.
const liveProbe = 2500 * time.Millisecond

// seen: a track showed a frame.
func (p *prober) seen() bool {
	for _, t := range p.tracks {
		if t.seen && (t.video == nil || len(t.pts) >= liveTimestamps) {
			return true
		}
	}
	return false
}

// satisfied: every track showed a frame, and video enough timestamps to tell
// its rate. A track that stays silent costs the whole budget, once.
func (p *prober) satisfied() bool {
	for _, t := range p.tracks {
		if !t.seen || t.video != nil && len(t.pts) < p.timestamps() {
			return false
		}
	}
	return true
}

func (p *prober) info() (Info, error) {
	info := Info{Container: p.d.container(), Chosen: -1, Text: p.text}
	if us := p.d.fc.Duration(); us > 0 {
		info.DurationUS = us
	}
	var why []string
	for _, s := range p.d.fc.Streams() {
		t := p.tracks[s.Index()]
		if t == nil {
			continue
		}
		if !t.seen {
			why = append(why, t.reason())
			continue
		}
		if t.audio != nil {
			info.Audio = append(info.Audio, *t.audio)
			continue
		}
		t.rate()
		t.video.Captions = t.channels()
		info.Video = append(info.Video, *t.video)
	}
	info.Chosen = choose(info.Video)
	p.oneProgramme(&info)
	if len(info.Video) == 0 && len(info.Audio) == 0 {
		return info, p.nothing(why)
	}
	p.remark(&info, why)
	return info, nil
}

// nothing is the error for a source without a track that decodes.
func (p *prober) nothing(why []string) error {
	message, advice := "nothing in source "+input.Display(p.d.name)+" decodes", "check that the file is whole: play it, or give another copy"
	if p.encrypted() {
		message, advice = "source "+input.Display(p.d.name)+" is encrypted", "give a copy without encryption (DRM)"
	}
	return &media.Error{Code: media.SourceError, Message: message + ": " + strings.Join(why, "; "), Advice: advice}
}

func (p *prober) encrypted() bool {
	for _, t := range p.tracks {
		if errors.Is(t.err, errEncrypted) {
			return true
		}
	}
	return false
}

// remark says in words what is odd and what will be done about it.
func (p *prober) remark(info *Info, why []string) {
	for _, w := range why {
		p.notes.add(w + ": left out")
	}
	if v := info.BestVideo(); v != nil {
		if len(info.Video) > 1 {
			p.notes.add(fmt.Sprintf("%d video tracks: the largest one (%dx%d, stream %d) is encoded", len(info.Video), v.Width, v.Height, v.Index))
		}
		if v.Interlaced {
			p.notes.add("interlaced pictures are deinterlaced")
		}
		if v.Rotation != 0 {
			p.notes.add(fmt.Sprintf("pictures are rotated upright by %d degrees", v.Rotation))
		}
		if v.Variable {
			p.notes.add(fmt.Sprintf("variable frame rate: put on a grid of %s frames per second", v.Rate))
		}
		if p.tracks[v.Index].untimed() {
			p.notes.add(fmt.Sprintf("most timestamps are missing: pictures are timed at %s frames per second between those that are there", v.Rate))
		}
		if note := p.tracks[v.Index].dolbyNote(); note != "" {
			p.notes.add(note)
		}
		if v.HDR() {
			p.notes.add("HDR pictures are tone-mapped to SDR for SDR rungs")
		}
	} else {
		p.notes.add("no video decodes: the ladder is audio only")
	}
	if len(info.Audio) == 0 {
		p.notes.add("no audio decodes: the ladder is video only")
	}
	p.notes.list = append(p.notes.list, p.d.clock.notes.list...)
	info.Notes = p.notes.list
}

// choose takes the track with the most pixels, the first of equals.
func choose(v []VideoInfo) int {
	best := -1
	for i := range v {
		if best < 0 || v[i].Width*v[i].Height > v[best].Width*v[best].Height {
			best = i
		}
	}
	return best
}

func (p *prober) Close() {
	for _, t := range p.tracks {
		if t.dec != nil {
			t.dec.Close()
		}
	}
}

// errEncrypted: common encryption (ISO/IEC 23001-7); it would decode to garbage.
var errEncrypted = errors.New("encrypted, and the farm has no key")
