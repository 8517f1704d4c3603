package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// encoding is one rung on one encoder, as programs read it.
type encoding struct {
	Rendition   string            `json:"rendition"`
	Codecs      string            `json:"codecs"`
	Size        string            `json:"size"`
	FPS         string            `json:"fps"`
	VideoRange  string            `json:"video_range"`
	Encoder     string            `json:"encoder"`
	PixelFormat string            `json:"pixel_format"`
	Options     []encoders.Option `json:"options"`
}

// runEncoders prints what each rung of a source becomes on each encoder.
func (c *ladderShowCmd) runEncoders(sh *shell, l *ladders.Ladder) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	kind := ladders.VOD
	if c.Live {
		kind = ladders.Live
	}
	r, err := ladders.Resolve(l, src, kind)
	if err != nil {
		return badLadder(err)
	}
	all, err := c.encodings(r, kind == ladders.Live)
	if err != nil {
		return err
	}
	return sh.print(map[string]any{"encodings": all}, func() error { return c.table(sh, l, src, kind, all) })
}

func (c *ladderShowCmd) encodings(r *ladders.Resolved, live bool) ([]encoding, error) {
	rows, err := c.rows()
	if err != nil {
		return nil, err
	}
	var out []encoding
	for _, x := range r.Renditions {
		if x.Video == nil {
			continue
		}
		for _, e := range rows {
			if format := e.PixelFormat(*x.Video); e.Codec == x.Video.Codec && format != "" {
				rung := encoders.NewRung(*x.Video, r.Grid, live, c.CPUs)
				out = append(out, encoding{x.Name, x.Codecs, fmt.Sprintf("%dx%d", x.Video.Width, x.Video.Height), rung.Rate.String(), x.Video.Range.String(), e.Name, format, e.Options(rung)})
			}
		}
	}
	if len(out) == 0 {
		return nil, &failure{exitFailed, fmt.Sprintf("no rung of %s is for the encoder %s", c.Ladder, c.Encoder), "`--encoder all` shows those that are"}
	}
	return out, nil
}

// rows are the encoders that were asked for.
func (c *ladderShowCmd) rows() ([]encoders.Encoder, error) {
	all := encoders.Table()
	if c.Encoder == "all" {
		return all, nil
	}
	i := slices.IndexFunc(all, func(e encoders.Encoder) bool { return e.Name == c.Encoder })
	if i < 0 {
		names := make([]string, len(all))
		for i, e := range all {
			names[i] = e.Name
		}
		return nil, &failure{exitUsage, fmt.Sprintf("no encoder %q", c.Encoder), "there are " + strings.Join(names, ", ") + ", and all"}
	}
	return all[i : i+1], nil
}

var sourcePattern = regexp.MustCompile(`^([0-9]{1,5})x([0-9]{1,5})@([0-9./]+)(:(?i:sdr|pq|hlg))?$`)

// source is the one that was given, else one that is large enough for any rung.
func (c *ladderShowCmd) source() (ladders.Source, error) {
	if c.Source == "" {
		return ladders.Source{Video: &ladders.SourceVideo{Width: 3840, Height: 2160, Rate: timeline.Rate{Num: 30, Den: 1}, BitDepth: 8}}, nil
	}
	m := sourcePattern.FindStringSubmatch(c.Source)
	if m == nil {
		return ladders.Source{}, badSource(c.Source)
	}
	rate, err := timeline.ParseRate(m[3])
	if err != nil {
		return ladders.Source{}, badSource(c.Source)
	}
	w, _ := strconv.Atoi(m[1])
	h, _ := strconv.Atoi(m[2])
	r := ladders.Range(strings.ToUpper(strings.TrimPrefix(m[4], ":")))
	return ladders.Source{Video: &ladders.SourceVideo{Width: w, Height: h, Rate: rate, Range: r}}, nil
}

func badSource(s string) error {
	return &failure{exitUsage, fmt.Sprintf("source %q cannot be read", s), "write it as 1920x1080@50, and :pq or :hlg after it for HDR"}
}

func (c *ladderShowCmd) table(sh *shell, l *ladders.Ladder, src ladders.Source, kind ladders.Kind, all []encoding) error {
	v := src.Video
	fmt.Fprintf(sh.out, "%s, %s, from %dx%d at %s %s, on a machine of %d CPUs\n", l.Name, kind, v.Width, v.Height, v.Rate, v.Range, c.CPUs)
	spare := false
	for _, e := range all {
		fmt.Fprintf(sh.out, "\n%s on %s: %s at %s, %s, %s, %s\n", e.Rendition, e.Encoder, e.Size, e.FPS, e.PixelFormat, e.VideoRange, e.Codecs)
		var rows [][]string
		for _, o := range e.Options {
			key := o.Key
			if o.Of != "" {
				key = o.Of + " " + o.Key
			}
			if o.Spare {
				key, spare = key+" *", true
			}
			rows = append(rows, []string{"  " + key, o.Value, o.Reason})
		}
		if err := sh.columns("", rows); err != nil {
			return err
		}
	}
	if spare {
		fmt.Fprintln(sh.out, "\n* less on a card that lacks it")
	}
	return nil
}
