package fakeworker

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Script is how a fake worker behaves. The zero value is a worker that gets
// ready, makes a frame every few milliseconds until it is asked to stop, and
// then ends as it was asked.
type Script struct {
	ReadyAfterMS   int    // the socket appears this late
	NeverReady     bool   // the socket never appears
	Hang           bool   // the socket is there, and nobody answers
	Protocol       uint32 // instead of the right one
	WrongEpoch     bool   // answers for another lease
	Propose        bool   // makes no frame before an anchor was set
	Frames         int64  // ends after so many; 0 means never
	StallAfter     int64  // makes no frame after so many
	DecodeOn       bool   // goes on decoding in a stall
	Outcome        string // code of the outcome, snake_case; "finished" when empty
	NoOutcome      bool   // leaves no file
	CorruptOutcome bool   // leaves half a file
	ExitStatus     int
	Signal         string // ends by this signal instead of exiting: KILL, SEGV
	IgnoreAsk      bool
	IgnoreTerm     bool
	DoNotExit      bool // tells its outcome and lives on
	LogBytes       int  // floods standard error, over and over
	LogLine        string
}

// scheme is a source that every farm accepts.
const scheme = "testcard:?script="

// Input is the script in the place of a source.
func (s Script) Input() string {
	text, err := json.Marshal(s)
	if err != nil {
		return scheme
	}
	return scheme + url.QueryEscape(string(text))
}

// parse: any other input is the default script.
func parse(input string) (s Script) {
	if escaped, found := strings.CutPrefix(input, scheme); found {
		text, _ := url.QueryUnescape(escaped)
		_ = json.Unmarshal([]byte(text), &s)
	}
	return s
}
