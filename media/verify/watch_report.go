package verify

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Watched is what was seen of a live tree over a while.
type Watched struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Pace is how often playlists were looked at: delays are as precise as that.
	Pace string `json:"pace"`
	// Looks are requests, Failed those that got no answer.
	Looks  int `json:"looks"`
	Failed int `json:"failed"`
	// Renditions in the order of the multivariant playlist.
	Renditions []WatchedRendition `json:"renditions"`
	// AV is how much later the sound of a segment ends than its pictures, Apart
	// how much later the last rendition of a number came than the first.
	AV    Spread `json:"av"`
	Apart Spread `json:"apart"`
	// DriftKnown: the watch was long enough to say how much later the live edge
	// has become against our clock, in milliseconds and parts per million.
	DriftKnown bool    `json:"drift_known"`
	DriftMS    float64 `json:"drift_ms"`
	DriftPPM   float64 `json:"drift_ppm"`
	// Incidents are the newest, oldest first.
	Incidents []Incident `json:"incidents,omitempty"`
}

// WatchedRendition is one media playlist.
type WatchedRendition struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // video, audio, text
	// First and Last are what is listed at the end of the watch.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Segments that came and were read.
	Segments int `json:"segments"`
	// Gaps are listed as missing, Never were not listed at all, Refused were
	// listed and could not be read at once.
	Gaps            int `json:"gaps"`
	Never           int `json:"never"`
	Refused         int `json:"refused"`
	Late            int `json:"late"`
	Stale           int `json:"stale"`
	Discontinuities int `json:"discontinuities"`
	Changed         int `json:"changed"`
	// Delay is from when a segment was due by the grid until it was read, Pause
	// from one new segment to the next.
	Delay Spread `json:"delay"`
	Pause Spread `json:"pause"`
	Ended bool   `json:"ended"`
}

// report is made when the watch is over.
func (w *watcher) report() Report {
	w.ends.finish()
	seen := &Watched{Began: w.began, Ended: w.ended, Pace: "a player's", Looks: w.looks, Failed: w.failed,
		AV: w.ends.av.spread(), Apart: w.ends.apart.spread(), Incidents: slices.Clone(w.incidents), DriftKnown: w.edge.known()}
	if w.o.Pace > 0 {
		seen.Pace = w.o.Pace.String()
	}
	if seen.DriftKnown {
		by, ppm := w.edge.moved()
		seen.DriftMS, seen.DriftPPM = ms(by), ppm
	}
	if !w.away.since.IsZero() {
		w.book.holds("watch-reach", false, at(w.master), "the tree has not answered for the last %v", w.ended.Sub(w.away.since).Round(time.Millisecond))
	}
	segments := 0
	for _, r := range w.renditions {
		seen.Renditions = append(seen.Renditions, r.report())
		segments += r.counts.segments
		if !r.seen {
			w.book.holds("watch-lists", false, at(r.path), "it was never there")
		}
	}
	w.book.skip("no sound beside pictures was seen", "watch-av")
	w.book.skip("no segment came twice", "watch-frozen")
	out := w.book.report(w.store.String(), len(w.renditions))
	out.Watched, out.Segments = seen, segments
	return out
}

func (r *watched) report() WatchedRendition {
	kind := r.kind
	if kind == "" {
		kind = "text"
	}
	c := r.counts
	return WatchedRendition{
		Name: r.name, Kind: kind, First: r.first, Last: r.last, Segments: c.segments, Gaps: c.gaps, Never: c.never, Refused: c.refused, Late: c.late,
		Stale: c.stale, Discontinuities: c.discontinuities, Changed: c.changed, Delay: r.delay.spread(), Pause: r.pause.spread(), Ended: r.over,
	}
}

// write is what a person reads: a row for each rendition, then the whole.
func (w *Watched) write(out *strings.Builder) {
	if w == nil {
		return
	}
	fmt.Fprintf(out, "watched for %v at %s pace, %d requests, %d without an answer; times in ms\n", w.Ended.Sub(w.Began).Round(time.Second), w.Pace, w.Looks, w.Failed)
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "RENDITION\tSEGMENTS\tGAPS\tNEVER\tLATE\tSTALE\tCHANGED\tDELAY P50\tP99\tMAX\tLONGEST PAUSE")
	for _, r := range w.Renditions {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\n", r.Name, r.Segments, r.Gaps, r.Never, r.Late, r.Stale, r.Changed,
			r.Delay.P50, r.Delay.P99, r.Delay.Max, r.Pause.Max)
	}
	_ = t.Flush() // a strings.Builder does not err
	if w.AV.N > 0 {
		fmt.Fprintf(out, "sound ends %.1f to %.1f ms after the pictures; renditions of a number come %.0f ms apart (p99 %.0f)\n", w.AV.Min, w.AV.Max, w.Apart.P50, w.Apart.P99)
	}
	if w.DriftKnown {
		fmt.Fprintf(out, "the live edge moved by %.0f ms against this clock (%.1f ppm)\n", w.DriftMS, w.DriftPPM)
	}
	for _, in := range w.Incidents[max(0, len(w.Incidents)-incidentsShown):] {
		fmt.Fprintf(out, "%s  %s  %s  %s\n", in.At.Format(time.TimeOnly), in.Rule, in.Rendition, in.What)
	}
	out.WriteByte('\n')
}

// incidentsShown keeps a report on one page; -o json has more.
const incidentsShown = 20
