package harness

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// Markdown is the report of a record. It holds nothing that the record does not.
func (r Record) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!-- Made from %s.json; do not edit. -->\n# %s\n\n%s\n\n", r.Name, r.Title, r.What)
	r.figures(&b)
	list(&b, "", r.Findings)
	list(&b, "How", r.How)
	r.settings(&b)
	r.where(&b)
	list(&b, "Not measured", r.NotMeasured)
	fmt.Fprintf(&b, "## Again\n\n```\n%s\n```\n", r.Command)
	return b.Bytes()
}

func list(b *bytes.Buffer, title string, items []string) {
	if len(items) == 0 {
		return
	}
	if title != "" {
		fmt.Fprintf(b, "## %s\n\n", title)
	}
	for _, s := range items {
		fmt.Fprintf(b, "- %s\n", s)
	}
	fmt.Fprintln(b)
}

func (r Record) figures(b *bytes.Buffer) {
	group := "-"
	for _, f := range r.Figures {
		if f.Group != group {
			if group != "-" {
				fmt.Fprintln(b)
			}
			if group = f.Group; group != "" {
				fmt.Fprintf(b, "**%s**\n\n", group)
			}
			fmt.Fprint(b, "| | unit | n | min | p50 | p90 | p99 | max | bar |\n|---|---|--:|--:|--:|--:|--:|--:|---|\n")
		}
		d := f.Dist
		fmt.Fprintf(b, "| %s | %s | %d | %s | **%s** | %s | %s | %s | %s |\n", f.Name, f.Unit, d.N, number(d.Min), number(d.P50), number(d.P90), number(d.P99), number(d.Max), f.Bar)
	}
	fmt.Fprintln(b)
}

// String is the verdict in a table's cell.
func (b *Bar) String() string {
	if b == nil {
		return ""
	}
	verdict := "missed"
	if b.Met {
		verdict = "met"
	}
	if b.Least != 0 {
		return fmt.Sprintf("%s ≥ %s: %s", b.Of, number(b.Least), verdict)
	}
	return fmt.Sprintf("%s ≤ %s: %s", b.Of, number(b.Most), verdict)
}

func number(x float64) string {
	switch {
	case x >= 1000 || x <= -1000:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 100 || x <= -100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

func (r Record) settings(b *bytes.Buffer) {
	fmt.Fprint(b, "## Settings\n\n")
	for _, s := range r.Settings {
		fmt.Fprintf(b, "- %s: `%s`\n", s.Key, s.Value)
	}
	fmt.Fprintln(b)
}

func (r Record) where(b *bytes.Buffer) {
	h, a, v := r.Host, r.Around, r.Versions
	virtual, dirty := "", ""
	if h.Virtual {
		virtual = ", a virtual machine"
	}
	if v.Dirty {
		dirty = " with changes that were not committed"
	}
	fmt.Fprint(b, "## Where\n\n")
	fmt.Fprintf(b, "- %s, %d cores, %.1f GiB, %s%s\n", h.CPU, h.Cores, float64(h.MemoryBytes)/(1<<30), h.Kernel, virtual)
	fmt.Fprintf(b, "- %s to %s; load average %.2f before, %.2f after; others used %.0f %% of the machine meanwhile, the hypervisor kept %.0f %%\n",
		a.Began.Format(time.RFC3339), a.Ended.Format(time.RFC3339), a.Before.One, a.After.One, 100*a.Others, 100*a.Stolen)
	fmt.Fprintf(b, "- Gala %s%s, FFmpeg %s (configure line %.12s), %s\n\n", v.Commit, dirty, v.FFmpeg, v.Configure, v.Go)
}
