package webvtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrSyntax: not a segment as HLS wants it.
var ErrSyntax = errors.New("not a WebVTT segment")

// Parse reads a segment; its cues' times are on the clock of the pictures.
func Parse(body []byte) ([]Cue, error) { return parse(body, timestampMap) }

// ParseFile reads a whole file, which has no map.
func ParseFile(body []byte) ([]Cue, error) {
	return parse(body, func(head string) (int64, error) { return 0, begins(head) })
}

func parse(body []byte, clockOf func(head string) (int64, error)) ([]Cue, error) {
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrSyntax)
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(body), "\ufeff"), "\r\n", "\n")
	blocks := strings.Split(text, "\n\n")
	shift, err := clockOf(blocks[0])
	if err != nil {
		return nil, err
	}
	var out []Cue
	for _, b := range blocks[1:] {
		b = strings.Trim(b, "\n")
		if b == "" || strings.HasPrefix(b, "NOTE") || strings.HasPrefix(b, "STYLE") || strings.HasPrefix(b, "REGION") {
			continue
		}
		c, err := cue(b)
		if err != nil {
			return nil, err
		}
		c.Start, c.End = c.Start+shift, c.End+shift
		out = append(out, c)
	}
	return out, nil
}

func begins(head string) error {
	line, _, _ := strings.Cut(head, "\n")
	if f := strings.Fields(line); len(f) == 0 || f[0] != "WEBVTT" {
		return fmt.Errorf("%w: it does not begin with WEBVTT", ErrSyntax)
	}
	return nil
}

// timestampMap is what the header adds to cue times, in µs.
func timestampMap(head string) (int64, error) {
	if err := begins(head); err != nil {
		return 0, err
	}
	for _, line := range strings.Split(strings.TrimRight(head, "\n"), "\n")[1:] {
		value, ok := strings.CutPrefix(line, "X-TIMESTAMP-MAP=")
		if !ok {
			continue
		}
		var ticks, local int64
		for part := range strings.SplitSeq(value, ",") {
			var err error
			if v, ok := strings.CutPrefix(part, "MPEGTS:"); ok {
				_, err = fmt.Sscan(v, &ticks)
			} else if v, ok := strings.CutPrefix(part, "LOCAL:"); ok {
				local, err = timestamp(v)
			}
			if err != nil {
				return 0, fmt.Errorf("%w: %s", ErrSyntax, line)
			}
		}
		return ticks*100/9 - local, nil
	}
	return 0, fmt.Errorf("%w: no X-TIMESTAMP-MAP", ErrSyntax)
}

func cue(block string) (Cue, error) {
	head, text, _ := strings.Cut(block, "\n")
	if !strings.Contains(head, "-->") { // an identifier
		head, text, _ = strings.Cut(text, "\n")
	}
	from, rest, ok := strings.Cut(head, "-->")
	until, settings, _ := strings.Cut(strings.TrimSpace(rest), " ")
	start, err1 := timestamp(strings.TrimSpace(from))
	end, err2 := timestamp(until)
	if err := errors.Join(err1, err2); !ok || err != nil || end <= start || text == "" {
		return Cue{}, fmt.Errorf("%w: cue %q", ErrSyntax, head)
	}
	return Cue{Start: start, End: end, Text: text, Settings: settings}, nil
}

// timestamp is hours (two digits or more; they may be left out), minutes, seconds
// and milliseconds, in µs.
func timestamp(s string) (int64, error) {
	var h, m, sec, ms int64
	format := "%d:%d:%d.%d"
	to := []any{&h, &m, &sec, &ms}
	if strings.Count(s, ":") == 1 {
		format, to = format[3:], to[1:]
	}
	if n, err := fmt.Sscanf(s, format, to...); err != nil || n != len(to) || m > 59 || sec > 59 || ms > 999 || min(h, m, sec, ms) < 0 {
		return 0, fmt.Errorf("%w: time %q", ErrSyntax, s)
	}
	return (((h*60+m)*60+sec)*1000 + ms) * 1000, nil
}
