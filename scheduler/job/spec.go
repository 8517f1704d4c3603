package job

import (
	"bytes"
	"maps"
	"slices"

	"github.com/galafarm/gala/media"
)

// Spec is what the client asked for, unchanged.
type Spec struct {
	ID            string    `json:"id"`
	Kind          Kind      `json:"kind"`
	Input         string    `json:"input"`
	Backups       []string  `json:"backups,omitempty"`
	Ladder        string    `json:"ladder,omitempty"`
	LadderYAML    string    `json:"ladder_yaml,omitempty"`
	Destinations  []string  `json:"destinations,omitempty"`
	CPU           CPUPolicy `json:"cpu,omitempty"`
	Redundancy    uint32    `json:"redundancy,omitempty"`
	Priority      int32     `json:"priority,omitempty"`
	Steering      string    `json:"steering,omitempty"`
	WindowSeconds uint32    `json:"window_seconds,omitempty"`
	// Encrypt is cbcs or cenc, empty for output in the clear; Keys says where the
	// worker gets the keys, which no record ever holds.
	Encrypt string `json:"encrypt,omitempty"`
	Keys    string `json:"keys,omitempty"`
	// MP4 names the rungs that also become one file each; AllRungs all of them.
	MP4 []string `json:"mp4,omitempty"`
	// Logos are the PNG files that the ladder's overlays name, by those names.
	Logos map[string][]byte `json:"logos,omitempty"`
	// Loss and Slate say what happens when a live input is lost.
	Loss  media.Loss  `json:"loss,omitzero"`
	Slate media.Slate `json:"slate,omitzero"`
}

// AllRungs stands for every video rung in Spec.MP4.
const AllRungs = "all"

// DefaultWindow is the live window in seconds where the spec names none.
const DefaultWindow = 900

// Effective is the spec with its defaults filled in.
func (s Spec) Effective() Spec {
	if s.CPU == "" {
		s.CPU = CPUAllowed
	}
	if s.Redundancy == 0 {
		s.Redundancy = 1
	}
	if s.WindowSeconds == 0 {
		s.WindowSeconds = DefaultWindow
	}
	return s
}

// InputAt is an input by its number: 0 is the spec's, 1 its first backup.
func (s Spec) InputAt(number int) string {
	if number < 1 || number > len(s.Backups) {
		return s.Input
	}
	return s.Backups[number-1]
}

// Diff names the fields in which two specs ask for different things. A default
// left out and the same default spelled out are the same wish.
func (s Spec) Diff(o Spec) []string {
	a, b := s.Effective(), o.Effective()
	var fields []string
	differs := func(name string, same bool) {
		if !same {
			fields = append(fields, name)
		}
	}
	differs("kind", a.Kind == b.Kind)
	differs("input", a.Input == b.Input)
	differs("backups", slices.Equal(a.Backups, b.Backups))
	differs("ladder", a.Ladder == b.Ladder)
	differs("ladder_yaml", a.LadderYAML == b.LadderYAML)
	differs("destinations", slices.Equal(a.Destinations, b.Destinations))
	differs("cpu", a.CPU == b.CPU)
	differs("redundancy", a.Redundancy == b.Redundancy)
	differs("steering", a.Steering == b.Steering)
	differs("priority", a.Priority == b.Priority)
	differs("window_seconds", a.WindowSeconds == b.WindowSeconds)
	differs("encrypt", a.Encrypt == b.Encrypt)
	differs("keys", a.Keys == b.Keys)
	differs("mp4", slices.Equal(a.MP4, b.MP4))
	differs("failover", a.Loss.Or() == b.Loss.Or())
	differs("slate", a.Slate.Color == b.Slate.Color && a.Slate.Text == b.Slate.Text && bytes.Equal(a.Slate.Image, b.Slate.Image))
	differs("logos", maps.EqualFunc(a.Logos, b.Logos, bytes.Equal))
	return fields
}
