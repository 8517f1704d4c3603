package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Status is how a rule came out.
type Status string

// The statuses. A MUST that is broken fails, a SHOULD warns.
const (
	Pass          Status = "PASS"
	Fail          Status = "FAIL"
	Warn          Status = "WARN"
	NotApplicable Status = "n/a"
)

// Place is where a rule broke.
type Place struct {
	// Path is the object in the tree ("720p/12.m4s").
	Path string `json:"path,omitempty"`
	// Frame counts from 0 in decode order, Byte from the start of the object.
	Frame *int   `json:"frame,omitempty"`
	Byte  *int64 `json:"byte,omitempty"`
}

func at(path string) Place { return Place{Path: path} }

func (p Place) frame(i int) Place  { p.Frame = &i; return p }
func (p Place) byte(o int64) Place { p.Byte = &o; return p }

func (p Place) String() string {
	s := p.Path
	if p.Frame != nil {
		s += fmt.Sprintf(" frame %d", *p.Frame)
	}
	if p.Byte != nil {
		s += fmt.Sprintf(" byte %d", *p.Byte)
	}
	return s
}

// Finding is one place where a rule broke and what is there.
type Finding struct {
	Where Place  `json:"where"`
	What  string `json:"what"`
}

// Result is one rule and how it came out.
type Result struct {
	Rule
	Status Status `json:"status"`
	// Reason of a rule that is not applicable.
	Reason string `json:"reason,omitempty"`
	// Findings are the first places; Broken counts all.
	Findings []Finding `json:"findings,omitempty"`
	Broken   int       `json:"broken,omitempty"`
}

// Report is the judgement of a tree.
type Report struct {
	Target string `json:"target"`
	// Renditions, segments, frames and bytes that were looked at.
	Renditions int   `json:"renditions"`
	Segments   int   `json:"segments"`
	Frames     int   `json:"frames"`
	Bytes      int64 `json:"bytes"`
	// Notes are facts that are no rule: "identical bytes: 40 of 40 segments".
	Notes   []string `json:"notes,omitempty"`
	Results []Result `json:"results"`
	// Compared is how the second tree stands to this one, nil without one.
	Compared *Comparison `json:"compared,omitempty"`
	// Watched is what was seen of a live tree over a while, nil for a look at it.
	Watched *Watched `json:"watched,omitempty"`
}

// OK tells whether no MUST is broken.
func (r Report) OK() bool { return r.Count(Fail) == 0 }

// Count is the number of rules with this status.
func (r Report) Count(s Status) int {
	n := 0
	for _, res := range r.Results {
		if res.Status == s {
			n++
		}
	}
	return n
}

// Result of one rule; ok is false when there is no such rule.
func (r Report) Result(id string) (res Result, ok bool) {
	for _, res := range r.Results {
		if res.ID == id {
			return res, true
		}
	}
	return Result{}, false
}

// WriteJSON writes the whole report.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteText writes a table of the rules, what broke under it, and a verdict.
func (r Report) WriteText(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %d renditions, %d segments", r.Target, r.Renditions, r.Segments)
	if r.Watched == nil { // whose frames and bytes are not counted
		fmt.Fprintf(&out, ", %d frames, %d bytes", r.Frames, r.Bytes)
	}
	out.WriteString("\n\n")
	r.Compared.write(&out)
	r.Watched.write(&out)
	r.writeTable(&out)
	for _, res := range r.Results {
		res.writeFindings(&out)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&out, "note: %s\n", n)
	}
	fmt.Fprintf(&out, "%s: %d hold, %d broken, %d warnings, %d not applicable\n", r.verdict(),
		r.Count(Pass), r.Count(Fail), r.Count(Warn), r.Count(NotApplicable))
	_, err := io.WriteString(w, out.String())
	return err
}

func (r Report) verdict() Status {
	if r.OK() {
		return Pass
	}
	return Fail
}

func (r Report) writeTable(out *strings.Builder) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, res := range r.Results {
		why := res.Title
		if res.Reason != "" {
			why += " (" + res.Reason + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", res.Status, res.ID, res.Clause, why)
	}
	_ = w.Flush() // a strings.Builder does not err
	out.WriteByte('\n')
}

// write is a table of the renditions, and why segments differ.
func (c *Comparison) write(out *strings.Builder) {
	if c == nil {
		return
	}
	fmt.Fprintf(out, "against %s\n", c.Other)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RENDITION\tCOMMON\tIDENTICAL\tINTERCHANGEABLE\tDIFFERENT\tONLY HERE\tONLY THERE\tVERDICT")
	for _, r := range c.Renditions {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", r.Name, r.Common(), r.Identical, r.Interchangeable, r.Different, r.OnlyFirst, r.OnlySecond, r.Verdict())
	}
	_ = w.Flush() // a strings.Builder does not err
	for _, r := range c.Renditions {
		for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
			fmt.Fprintf(out, "%s: %d segments have %s\n", r.Name, r.Reasons[why], why)
		}
	}
	out.WriteByte('\n')
}

func (r Result) writeFindings(out *strings.Builder) {
	if len(r.Findings) == 0 {
		return
	}
	fmt.Fprintf(out, "%s %s (%s): %s\n", r.Status, r.ID, r.Clause, r.Title)
	for _, f := range r.Findings {
		fmt.Fprintf(out, "  %s: %s\n", f.Where, f.What)
	}
	if more := r.Broken - len(r.Findings); more > 0 {
		fmt.Fprintf(out, "  … and %d more\n", more)
	}
	fmt.Fprintf(out, "  → %s\n\n", r.Advice)
}
