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
	n, _ := programme(u, fragment(u))
	return n
}

// programme is the one that options ask for, 0 for none.
func programme(u *url.URL, options url.Values) (int, error) {
	text := options.Get("program")
	if text == "" {
		return 0, nil
	}
	n, err := number(text, 0xFFFF)
	if err != nil {
		return 0, refused(fmt.Sprintf("source %s: program %q is none", display(u), text), "give a programme's number: 1 to 65535, or in hexadecimal as 0x1")
	}
	return n, nil
}

// lastPID is the largest that carries anything (ISO/IEC 13818-1 §2.4.3.3).
const lastPID = 0x1FFE

func choice(u *url.URL) (c Choice, err error) {
	q := u.Query()
	if c.Program, err = programme(u, q); err != nil {
		return c, err
	}
	for key, pids := range map[string]*[]int{"video": &c.Video, "audio": &c.Audio} {
		for text := range strings.SplitSeq(q.Get(key), ",") {
			if text == "" {
				continue
			}
			pid, err := number(text, lastPID)
			if err != nil {
				return c, refused(fmt.Sprintf("source %s: %s %q is no PID", display(u), key, text), "give PIDs as numbers, in decimal or as 0x101, separated by commas")
			}
			*pids = append(*pids, pid)
		}
	}
	return c, nil
}

// number is from 1 to most, in decimal or with 0x.
func number(text string, most int) (int, error) {
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		text, base = hex, 16
	}
	n, err := strconv.ParseUint(text, base, 16)
	if err == nil && (n < 1 || n > uint64(most)) {
		err = strconv.ErrRange
	}
	return int(n), err
}
