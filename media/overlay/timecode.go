package overlay

import (
	"fmt"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// Words are what the fields of a text stand for.
type Words struct {
	Job   string
	Rate  timeline.Rate // of the grid
	OfDay bool          // frames are counted from the Unix epoch
}

func (w Words) fill(text string, n int64) string {
	text = strings.ReplaceAll(text, ladders.FieldJob, w.Job)
	return strings.ReplaceAll(text, ladders.FieldTimecode, w.timecode(n))
}

// runs tells text that is another in every frame.
func runs(text string) bool { return strings.Contains(text, ladders.FieldTimecode) }

const secondsOfDay = 24 * 60 * 60

// timecode is HH:MM:SS:FF of frame n: the whole second in which it is shown, and
// which of the frames of that second it is.
func (w Words) timecode(n int64) string {
	n = max(n, 0)
	s := n * w.Rate.Den / w.Rate.Num
	frame := n - (s*w.Rate.Num+w.Rate.Den-1)/w.Rate.Den
	if w.OfDay {
		s %= secondsOfDay
	}
	digits := max(2, len(fmt.Sprint((w.Rate.Num-1)/w.Rate.Den)))
	return fmt.Sprintf("%02d:%02d:%02d:%0*d", s/3600, s/60%60, s%60, digits, frame)
}
