package verify

import (
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/dash"
)

// lapse is a stretch without programme, as a playlist marks it. What lasts has no end.
type lapse struct {
	id         string
	start, end time.Time
}

// The names that the farm gives to lapses; the frame that one began with follows.
const (
	lapseClass = "com.gala.slate"
	lapseID    = "slate-"
)

func lapsesOf(m *m3u8.MediaPlaylist) (all []lapse) {
	for _, r := range m.DateRanges {
		if r.Class != lapseClass {
			continue
		}
		x := lapse{id: r.ID, start: r.StartDate}
		if r.EndDate != nil {
			x.end = *r.EndDate
		}
		all = append(all, x)
	}
	return all
}

// over is how much of a segment is in the lapse, less than 0 for how far off it is.
func (x lapse) over(s *segment) time.Duration {
	begin := s.time
	end := begin.Add(time.Duration(s.micros) * time.Microsecond)
	if x.start.After(begin) {
		begin = x.start
	}
	if !x.end.IsZero() && x.end.Before(end) {
		end = x.end
	}
	return end.Sub(begin)
}

const (
	// atEdge is by how much segments of sound lie elsewhere than those of pictures: a
	// segment that touches a lapse with less is of either kind.
	atEdge = 50 * time.Millisecond
	// mostLapses is how many are marked at most; of more, old ones are not.
	mostLapses = 50
)

// judgeBrands: segments say of themselves whether they fill a lapse, and which is
// the last.
func (t *tree) judgeBrands(b *book) {
	if !t.dated() {
		b.skip("not live", "brands")
		return
	}
	for _, r := range t.renditions {
		for i, s := range r.segments {
			b.holds("brands", !slices.Contains(s.brands, cmaf.LastBrand) || i == len(r.segments)-1, at(s.path), "it is not the last, and has %s", cmaf.LastBrand)
			if !s.time.IsZero() && len(r.list.lapses) < mostLapses {
				s.judgeSlate(b, r.list.lapses)
			}
		}
	}
}

func (s *segment) judgeSlate(b *book, lapses []lapse) {
	over := time.Duration(-1 << 62)
	for _, x := range lapses {
		over = max(over, x.over(s))
	}
	has := slices.Contains(s.brands, cmaf.SlateBrand)
	b.holds("brands", has || over < atEdge, at(s.path), "%v of it are in a lapse, and it has not %s", over, cmaf.SlateBrand)
	b.holds("brands", !has || over > -atEdge, at(s.path), "it has %s and is in no lapse that is marked", cmaf.SlateBrand)
}

// event is a lapse in a manifest.
type event struct {
	id         string
	start, end time.Duration // since the epoch; what lasts has no end
}

// judgeLapses compares the manifest, which is read last, with what the playlists mark
// while their renditions are in it.
func (t *tree) judgeLapses(b *book) {
	if t.manifest == nil {
		return
	}
	if !t.dated() {
		b.skip("not live", "dash-lapses")
		return
	}
	// Replicas lose their source by themselves: the manifest is of the first.
	first := path.Join(t.manifest.bases()[0], "x")
	of := slices.IndexFunc(t.renditions, func(r *rendition) bool { return path.Dir(r.name) == path.Dir(first) })
	if of < 0 {
		b.skip("the manifest's replica is in no list of variants", "dash-lapses")
		return
	}
	b.looked("dash-lapses")
	for i, p := range t.manifest.doc.Periods {
		from, to := since(p.Start), time.Duration(1<<62)
		if length := t.manifest.lengthOf(i); length > 0 {
			to = from + length
		}
		t.judgeEvents(b, &t.renditions[of].list, events(b, p, from), from, to)
	}
}

// events of a Period that mark lapses.
func events(b *book, p *mpd.Period, from time.Duration) (all []event) {
	for _, s := range p.EventStreams {
		if string(s.SchemeIdUri) != dash.LapseScheme || s.Timescale == nil || *s.Timescale == 0 {
			b.holds("dash-lapses", string(s.SchemeIdUri) != dash.LapseScheme, at(manifestName), "Period %s has lapses without a timescale", p.Id)
			continue
		}
		ticks := func(n uint64) time.Duration {
			whole, rest := n/uint64(*s.Timescale), n%uint64(*s.Timescale)
			return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(*s.Timescale)
		}
		for _, e := range s.Events {
			if !b.sane(e, s.PresentationTimeOffset) {
				continue
			}
			x := event{id: lapseID + strconv.FormatUint(*e.Id, 10), start: from + ticks(e.PresentationTime-s.PresentationTimeOffset)}
			if e.Duration > 0 {
				x.end = x.start + ticks(e.Duration)
			}
			all = append(all, x)
		}
	}
	return all
}

func (b *book) sane(e *mpd.EventType, offset uint64) bool {
	ok := e.Id != nil && e.PresentationTime >= offset
	b.holds("dash-lapses", ok, at(manifestName), "an event at %d has no id, or is before its Period's %d", e.PresentationTime, offset)
	return ok
}

// judgeEvents of the Period [from, to).
func (t *tree) judgeEvents(b *book, list *playlist, told []event, from, to time.Duration) {
	for _, x := range list.lapses {
		start, end := time.Duration(x.start.UnixNano()), time.Duration(1<<62)
		if !x.end.IsZero() {
			end = time.Duration(x.end.UnixNano())
		}
		start, end = max(start, from), min(end, to)
		if end-start < atEdge {
			continue
		}
		i := slices.IndexFunc(told, func(e event) bool { return e.id == x.id })
		b.holds("dash-lapses", i >= 0 || list.fresh(x.start), at(manifestName), "%s is not in the Period that begins at %v", x.id, from)
		if i < 0 {
			continue
		}
		b.holds("dash-lapses", near(told[i].start, start), at(manifestName), "%s begins at %v, in the playlists at %v", x.id, told[i].start, start)
		if !x.end.IsZero() && told[i].end > 0 {
			b.holds("dash-lapses", near(told[i].end, end), at(manifestName), "%s ends at %v, in the playlists at %v", x.id, told[i].end, end)
		}
		b.holds("dash-lapses", x.end.IsZero() || told[i].end > 0 || list.fresh(x.end), at(manifestName), "%s lasts, and is over in the playlists", x.id)
	}
	for _, e := range told {
		marked := slices.ContainsFunc(list.lapses, func(x lapse) bool { return x.id == e.id })
		b.holds("dash-lapses", marked || list.beyond(e), at(manifestName), "%s at %v is in no playlist", e.id, e.start)
	}
}

// fresh tells whether something came with the newest segment: the manifest is written
// after the playlist.
func (l *playlist) fresh(at time.Time) bool {
	n := len(l.entries)
	return n > 0 && !l.closed && at.After(l.entries[n-1].time.Add(-time.Second))
}

// beyond tells whether an event is one that the playlist need not mark: it is over
// when the window begins, or began after the playlist was read.
func (l *playlist) beyond(e event) bool {
	for _, x := range l.entries {
		if x.time.IsZero() {
			continue
		}
		if e.end > 0 && e.end <= time.Duration(x.time.UnixNano())+atEdge {
			return true
		}
		break
	}
	if n := len(l.entries); n > 0 {
		last := l.entries[n-1]
		return e.start >= time.Duration(last.time.UnixNano())
	}
	return false
}

// near: playlists and durations of manifests tell milliseconds.
func near(a, b time.Duration) bool { return max(a-b, b-a) <= 2*time.Millisecond }
