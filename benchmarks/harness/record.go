package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Record is one benchmark's result: everything that its report says.
type Record struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// What was measured, and How: paragraphs for people.
	What string   `json:"what"`
	How  []string `json:"how"`
	// Command repeats it.
	Command  string   `json:"command"`
	Host     Host     `json:"host"`
	Around   Around   `json:"around"`
	Versions Versions `json:"versions"`
	// Settings that the figures depend on, in order.
	Settings []Setting `json:"settings"`
	Figures  []Figure  `json:"figures"`
	// Findings are sentences about the figures, made from them.
	Findings    []string `json:"findings,omitempty"`
	NotMeasured []string `json:"not_measured"`
	// Raw is what the figures were computed from.
	Raw any `json:"raw,omitempty"`
}

// Setting is one thing that was chosen.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Figure is one measured quantity with its unit.
type Figure struct {
	Group string       `json:"group,omitempty"`
	Name  string       `json:"name"`
	Unit  string       `json:"unit"` // "s", "x" (a ratio), "MB", "dB", "%" ...
	Dist  Distribution `json:"distribution"`
	Bar   *Bar         `json:"bar,omitempty"`
}

// Bar is what a figure has to stay under, or, with Least, to reach.
type Bar struct {
	Of    string  `json:"of"` // p50, p99, max
	Most  float64 `json:"most,omitempty"`
	Least float64 `json:"least,omitempty"`
	Value float64 `json:"value"`
	Met   bool    `json:"met"`
}

// Bound holds a figure against a bar.
func (f Figure) Bound(of string, most float64) Figure {
	v := f.Dist.of(of)
	f.Bar = &Bar{Of: of, Most: most, Value: v, Met: v <= most}
	return f
}

// Reach holds a figure against a bar from below.
func (f Figure) Reach(of string, least float64) Figure {
	v := f.Dist.of(of)
	f.Bar = &Bar{Of: of, Least: least, Value: v, Met: v >= least}
	return f
}

// Write puts NAME.json and NAME.md into dir, each whole or not at all.
func (r Record) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write record %s: %w", r.Name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write record %s: %w", r.Name, err)
	}
	base := filepath.Join(dir, r.Name)
	if err := whole(base+".json", append(text, '\n')); err != nil {
		return err
	}
	return whole(base+".md", r.Markdown())
}

func whole(name string, text []byte) error {
	if err := os.WriteFile(name+".new", text, 0o644); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return os.Rename(name+".new", name)
}

// Read is the record in a JSON file.
func Read(name string) (Record, error) {
	var r Record
	text, err := os.ReadFile(name)
	if err != nil {
		return r, fmt.Errorf("read record: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read record %s: %w", name, err)
	}
	return r, nil
}
