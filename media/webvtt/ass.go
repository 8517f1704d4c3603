package webvtt

import (
	"strings"
	"unicode/utf8"
)

// FromASS turns an event as libav's text decoders give it (nine fields, the last
// the text with override codes in braces) into cue text and settings. Bold,
// italic, underline and the place on screen stay, the rest of the style goes.
func FromASS(event string) (text, settings string) {
	parts := strings.SplitN(event, ",", 9)
	r := reader{rest: strings.ToValidUTF8(parts[len(parts)-1], string(utf8.RuneError))}
	r.read()
	return r.text(), r.settings
}

type reader struct {
	rest     string
	out      strings.Builder
	open     []byte // of b, i, u, in the order they were opened
	settings string
}

func (r *reader) read() {
	for r.rest != "" {
		switch {
		case r.rest[0] == '{' && strings.IndexByte(r.rest, '}') > 0:
			end := strings.IndexByte(r.rest, '}')
			r.override(r.rest[1:end])
			r.rest = r.rest[end+1:]
		case strings.HasPrefix(r.rest, `\N`), strings.HasPrefix(r.rest, `\n`):
			r.out.WriteByte('\n')
			r.rest = r.rest[2:]
		case strings.HasPrefix(r.rest, `\h`):
			r.out.WriteString("&nbsp;")
			r.rest = r.rest[2:]
		default:
			r.char()
		}
	}
	for len(r.open) > 0 {
		r.close(r.open[len(r.open)-1])
	}
}

// char copies one character, escaped.
func (r *reader) char() {
	c, n := utf8.DecodeRuneInString(r.rest)
	switch c {
	case '&':
		r.out.WriteString("&amp;")
	case '<':
		r.out.WriteString("&lt;")
	case '>':
		r.out.WriteString("&gt;")
	case '\r', 0:
	default:
		r.out.WriteRune(c)
	}
	r.rest = r.rest[n:]
}

// override reads one brace: codes that begin with a backslash.
func (r *reader) override(codes string) {
	for _, code := range strings.Split(codes, `\`) {
		switch {
		case len(code) == 2 && strings.ContainsRune("biu", rune(code[0])) && code[1] != '0':
			r.begin(code[0])
		case len(code) == 2 && strings.ContainsRune("biu", rune(code[0])):
			r.close(code[0])
		case len(code) == 3 && code[:2] == "an":
			r.settings = place(code[2])
		}
	}
}

func (r *reader) begin(tag byte) {
	if !strings.ContainsRune(string(r.open), rune(tag)) {
		r.open = append(r.open, tag)
		r.out.WriteString("<" + string(tag) + ">")
	}
}

// close ends a tag; those opened inside it begin anew.
func (r *reader) close(tag byte) {
	i := strings.IndexByte(string(r.open), tag)
	if i < 0 {
		return
	}
	inner := append([]byte(nil), r.open[i+1:]...)
	for k := len(r.open) - 1; k >= i; k-- {
		r.out.WriteString("</" + string(r.open[k]) + ">")
	}
	r.open = r.open[:i]
	for _, t := range inner {
		r.begin(t)
	}
}

// text is what may stand in a cue: no blank line, which would end it.
func (r *reader) text() string {
	var lines []string
	for line := range strings.SplitSeq(r.out.String(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// place is the settings for a place on the number pad; bottom centre is WebVTT's own.
func place(pad byte) string {
	var out []string
	switch pad {
	case '7', '8', '9':
		out = append(out, "line:0")
	case '4', '5', '6':
		out = append(out, "line:50%")
	}
	switch pad {
	case '1', '4', '7':
		out = append(out, "position:0%", "align:left")
	case '3', '6', '9':
		out = append(out, "position:100%", "align:right")
	}
	return strings.Join(out, " ")
}
