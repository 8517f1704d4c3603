package input

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Choice is what an address asks for of a transport stream. The zero value takes
// all.
type Choice struct {
	Program int // 0: any
	// Video and Audio are the PIDs to take of each kind; none: all.
	Video, Audio []int
}

// ChoiceOf reads an address's program, video and audio options.
func ChoiceOf(input string) Choice {
	u, err := Parse(input)
	if err != nil || !live(u.Scheme) {
		return Choice{}
	}
	c, _ := choice(u)
	return c
}

// Program is the programme that an address asks for, 0 for none: a live source in
// its query, a clip in its fragment.
func Program(input string) int {
	u, err := Parse(input)
	if err != nil || live(u.Scheme) {
		return ChoiceOf(input).Program
	}
	asked, _ := url.ParseQuery(u.Fragment)
	n, _ := number(asked.Get("program"), 0xFFFF)
	return n
}

// lastPID is the largest that carries anything (ISO/IEC 13818-1 §2.4.3.3).
const lastPID = 0x1FFE

func choice(u *url.URL) (c Choice, err error) {
	q := u.Query()
	if text := q.Get("program"); text != "" {
		if c.Program, err = number(text, 0xFFFF); err != nil {
			return c, refused(fmt.Sprintf("source %s: program %q is none", u.Redacted(), text), "give a programme's number: 1 to 65535, or in hexadecimal as 0x1")
		}
	}
	for key, pids := range map[string]*[]int{"video": &c.Video, "audio": &c.Audio} {
		for text := range strings.SplitSeq(q.Get(key), ",") {
			if text == "" {
				continue
			}
			pid, err := number(text, lastPID)
			if err != nil {
				return c, refused(fmt.Sprintf("source %s: %s %q is no PID", u.Redacted(), key, text), "give PIDs as numbers, in decimal or as 0x101, separated by commas")
			}
			*pids = append(*pids, pid)
		}
	}
	return c, nil
}

// number is from 1 to most, in decimal or with 0x.
func number(text string, most int) (int, error) {
	n, err := strconv.ParseUint(text, 0, 16)
	if err == nil && (n < 1 || n > uint64(most)) {
		err = strconv.ErrRange
	}
	return int(n), err
}
