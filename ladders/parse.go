package ladders

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Parse reads a ladder. name is the file's name for messages. The error is
// Problems: everything that is wrong, each with its place.
func Parse(name string, text []byte) (*Ladder, error) { return ParseWith(name, text, nil) }

// ParseWith is Parse where the ladder's logos can be looked at: logo tells what
// is wrong with the file of a name, and its error gets the name's place.
func ParseWith(name string, text []byte, logo func(file string) error) (*Ladder, error) {
	d := &decoder{file: name, logo: logo}
	root := d.document(text)
	if root == nil {
		return nil, d.err()
	}
	l := d.ladder(value{d, "", root})
	if err := d.err(); err != nil {
		return nil, err
	}
	return l, nil
}

const (
	maxVideoRungs = 32
	maxAudioRungs = 16
)

func (d *decoder) ladder(root value) *Ladder {
	l := &Ladder{Segment: Segment{Live: defaultLive, VOD: defaultVOD}, Deinterlace: AutoRate, Scaler: DefaultScaler, ScaleFrom: FromLarger}
	rungs := rungSet{seen: map[string]value{}}
	got := root.mapping([]key{
		{"name", func(v value) { l.Name = v.text(wantName, validName) }},
		{"about", func(v value) { l.About = v.text(wantAbout, validAbout) }},
		{"segment", func(v value) { l.Segment = v.segment() }},
		{"gop", func(v value) { l.GOP = v.duration(200*time.Millisecond, 10*time.Second) }},
		{"deinterlace", func(v value) {
			l.Deinterlace = Deinterlace(v.oneOf(string(AutoRate), string(FrameRate), string(FieldRate)))
		}},
		{"scaler", func(v value) { l.Scaler = v.scaler() }},
		{"scale_from", func(v value) { l.ScaleFrom = v.scaleFrom() }},
		{"crop", func(v value) { l.Crop = v.crop() }},
		{"pad", func(v value) { l.Pad = v.aspect() }},
		{"denoise", func(v value) { l.Denoise = v.denoise() }},
		{"overlays", func(v value) {
			v.list(MaxOverlays, func(_ int, item value) { l.Overlays = append(l.Overlays, item.overlay()) })
		}},
		{"video", func(v value) {
			v.list(maxVideoRungs, func(_ int, item value) { l.Video = append(l.Video, rungs.video(item)) })
		}},
		{"audio", func(v value) {
			v.list(maxAudioRungs, func(_ int, item value) { l.Audio = append(l.Audio, rungs.audio(item)) })
		}},
		{"subtitles", func(v value) { l.Subtitles = v.subtitles() }},
		{"thumbnails", func(v value) { l.Thumbnails = v.thumbnails() }},
	})
	got.require(root, "name")
	l.inherit()
	checkWhole(root, got, l)
	checkThumbnails(got, l, rungs.seen)
	return l
}

func (v value) segment() Segment {
	s := Segment{Live: defaultLive, VOD: defaultVOD}
	read := func(to *time.Duration) func(value) {
		return func(v value) { *to = v.duration(500*time.Millisecond, 30*time.Second) }
	}
	v.mapping([]key{{"live", read(&s.Live)}, {"vod", read(&s.VOD)}})
	return s
}

const (
	wantName  = "a name of letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 40 long"
	wantAbout = "one line of text, at most 200 bytes"
)

// A rung's name becomes a folder and, with a language added, must still fit
// the wire's 64 characters.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

// validName also keeps rungs from shadowing the files beside their folders.
func validName(s string) bool {
	return namePattern.MatchString(s) && !slices.Contains([]string{".m3u8", ".mpd", ".mp4"}, path.Ext(s))
}

func validAbout(s string) bool {
	return len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}

// rungSet reads rungs and keeps their names apart, ignoring case: folders meet
// file systems that do.
type rungSet struct{ seen map[string]value }

func (r rungSet) name(v value) string {
	s := v.text(wantName, validName)
	if s == "" {
		return s
	}
	id := strings.ToLower(s)
	if first, ok := r.seen[id]; ok {
		v.fail("%q is taken by %s on line %d; names are folders and must differ by more than case", s, strings.TrimSuffix(first.path, ".name"), first.node.GetToken().Position.Line)
		return s
	}
	r.seen[id] = v
	return s
}

// checkWhole looks at what no single key shows.
func checkWhole(root value, got given, l *Ladder) {
	if len(root.d.problems) > 0 {
		return // the values to compare are not all there
	}
	if len(l.Video)+len(l.Audio) == 0 {
		root.d.at(firstToken(root.node), "", "the ladder has no rungs; give video or audio")
	}
	checkGOP(root, got, l)
	checkFixedRates(got, l)
}

func checkGOP(root value, got given, l *Ladder) {
	if l.GOP == 0 {
		return
	}
	for _, kind := range []Kind{Live, VOD} {
		if s := l.segment(kind); s%l.GOP != 0 {
			got["gop"].fail("%s does not divide the %s segment of %s; a segment is a whole number of GOPs", l.GOP, kind, s)
		}
	}
}

// checkFixedRates: stated rates make the grid, so all rungs state one or none
// does, and the fastest is a whole multiple of each.
func checkFixedRates(got given, l *Ladder) {
	fixed := slices.DeleteFunc(slices.Clone(l.Video), func(r VideoRung) bool { return !r.FPS.Fixed.Valid() })
	if len(fixed) == 0 {
		return
	}
	if len(fixed) < len(l.Video) {
		got["video"].fail("%q states the frame rate %s while others follow the source; state it for every rung or for none (source<=%s limits)", fixed[0].Name, fixed[0].FPS, fixed[0].FPS)
		return
	}
	top := fastestFixed(l.Video)
	for _, r := range fixed {
		if n := nearestRatio(top, r.FPS.Fixed); top.Div(n) != r.FPS.Fixed {
			got["video"].fail("%q has the frame rate %s, of which the fastest rung's %s is no whole multiple", r.Name, r.FPS, top)
		}
	}
}
