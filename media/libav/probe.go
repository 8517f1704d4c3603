package libav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
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
	d, err := openDemuxer(ctx, name, rules)
	if err != nil {
		return Info{}, err
	}
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
	probeTimestamps = 240
	probeBytes      = 64 << 20
)

type prober struct {
	d      *demuxer
	tracks map[int]*probeTrack
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
}

func newProber(d *demuxer) *prober {
	p := &prober{d: d, tracks: map[int]*probeTrack{}}
	for _, s := range d.fc.Streams() {
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
	if len(p.tracks) == 0 {
		return &media.Error{Code: media.SourceError, Message: "source " + p.d.name + " holds neither video nor audio", Advice: "give a file with at least one video or audio track"}
	}
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	bytes := 0
	for n := 0; n < probePackets && bytes < probeBytes && !p.satisfied(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := p.d.next(pkt); err != nil {
			p.drain()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		bytes += pkt.Size()
		p.packet(pkt)
		pkt.Unref()
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
	if t.dec != nil && !t.seen {
		_ = t.dec.decode(pkt, t.frame)
	}
}

func (p *prober) drain() {
	for _, t := range p.tracks {
		if t.dec != nil && !t.seen {
			_ = t.dec.decode(nil, t.frame)
		}
	}
}

// satisfied: every track showed a frame, and video enough timestamps to tell
// its rate. A track that stays silent costs the whole budget, once.
func (p *prober) satisfied() bool {
	for _, t := range p.tracks {
		if !t.seen || t.video != nil && len(t.pts) < probeTimestamps {
			return false
		}
	}
	return true
}

// frame takes the facts of the first decoded frame.
func (t *probeTrack) frame(f *astiav.Frame) error {
	if t.seen {
		return nil
	}
	t.seen = true
	if t.audio != nil {
		t.audio.First = f.Pts()
		t.audio.Channels, t.audio.SampleRate = f.ChannelLayout().Channels(), f.SampleRate()
		t.audio.Layout = f.ChannelLayout().String()
		return nil
	}
	v := t.video
	v.First = f.Pts()
	v.Width, v.Height = f.Width(), f.Height()
	v.PixelFormat = f.PixelFormat().Name()
	v.BitDepth = bitDepth(f.PixelFormat())
	v.Interlaced = f.Flags().Has(astiav.FrameFlagInterlaced)
	if sar := f.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 && v.SARNum == 0 {
		v.SARNum, v.SARDen = sar.Num(), sar.Den()
	}
	return nil
}

func (p *prober) info() (Info, error) {
	info := Info{Container: p.d.fc.InputFormat().Name(), Chosen: -1}
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
		info.Video = append(info.Video, *t.video)
	}
	info.Chosen = choose(info.Video)
	if len(info.Video) == 0 && len(info.Audio) == 0 {
		return info, p.nothing(why)
	}
	p.remark(&info, why)
	return info, nil
}

// nothing is the error for a source without a track that decodes.
func (p *prober) nothing(why []string) error {
	message, advice := "nothing in source "+p.d.name+" decodes", "check that the file is whole: play it, or give another copy"
	if p.encrypted() {
		message, advice = "source "+p.d.name+" is encrypted", "give a copy without encryption (DRM)"
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

func (t *probeTrack) reason() string {
	kind := "audio"
	if t.video != nil {
		kind = "video"
	}
	name := t.s.CodecParameters().CodecID().String()
	switch {
	case t.err != nil:
		return fmt.Sprintf("%s stream %d (%s): %v", kind, t.s.Index(), name, t.err)
	case t.packets == 0:
		return fmt.Sprintf("%s stream %d (%s) is announced, but no packet of it arrives", kind, t.s.Index(), name)
	}
	return fmt.Sprintf("%s stream %d (%s): none of its %d packets decodes", kind, t.s.Index(), name, t.packets)
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

// rate decides the grid rate that the track calls for, from its own
// timestamps before the header's claims.
func (t *probeTrack) rate() {
	v := t.video
	avg, _ := timeline.NewRate(int64(t.s.AvgFrameRate().Num()), int64(t.s.AvgFrameRate().Den()))
	r, _ := timeline.NewRate(int64(t.s.RFrameRate().Num()), int64(t.s.RFrameRate().Den()))
	if v.Rate, v.Variable = timeline.NominalRate(avg, r, v.Base, t.pts); !v.Rate.Valid() {
		v.Rate = timeline.Rate{Num: 25, Den: 1}
	}
	if t.untimed() {
		v.Variable = false // it only looks so
	}
	// Field pictures come as two packets; the grid counts frames.
	if half := v.Rate.Div(2); v.Interlaced && avg.Valid() && timeline.Standard(avg) == half {
		v.Rate = half
	}
}

// untimed: most packets carry no timestamp. (Second fields have none of their own.)
func (t *probeTrack) untimed() bool { return t.missing*5 > t.packets*3 }

func videoInfo(s *astiav.Stream) *VideoInfo {
	cp := s.CodecParameters()
	v := &VideoInfo{
		Index: s.Index(), Codec: cp.CodecID().Name(), Profile: cp.ProfileName(), Width: cp.Width(), Height: cp.Height(),
		Bitrate: cp.BitRate(), Base: timebase(s.TimeBase()), Rotation: rotation(cp),
		Primaries: primariesName(cp.ColorPrimaries()), Transfer: transferName(cp.ColorTransferCharacteristic()),
		Matrix: known(cp.ColorSpace().Name()), Range: known(cp.ColorRange().Name()),
	}
	if sar := s.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 {
		v.SARNum, v.SARDen = sar.Num(), sar.Den()
	} else if sar := cp.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 {
		v.SARNum, v.SARDen = sar.Num(), sar.Den()
	}
	return v
}

func audioInfo(s *astiav.Stream) *AudioInfo {
	cp := s.CodecParameters()
	lang := "und"
	if md := s.Metadata(); md != nil {
		if e := md.Get("language", nil, 0); e != nil && e.Value() != "" {
			lang = e.Value()
		}
	}
	return &AudioInfo{Index: s.Index(), Codec: cp.CodecID().Name(), Bitrate: cp.BitRate(), Language: lang, Base: timebase(s.TimeBase())}
}

// errEncrypted: common encryption (ISO/IEC 23001-7); it would decode to garbage.
var errEncrypted = errors.New("encrypted, and the farm has no key")

// rotation is the clockwise turn that puts the picture upright, to the nearest
// quarter.
func rotation(cp *astiav.CodecParameters) int {
	m, ok := cp.SideData().DisplayMatrix().Get()
	if !ok {
		return 0
	}
	r := m.Rotation()
	if math.IsNaN(r) {
		return 0
	}
	return ((int(math.Round(r/90))*90)%360 + 360) % 360
}
