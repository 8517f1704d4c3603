package job

import "slices"

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
	WindowSeconds uint32    `json:"window_seconds,omitempty"`
	// Encrypt is cbcs or cenc, empty for output in the clear; Keys says where the
	// worker gets the keys, which no record ever holds.
	Encrypt string `json:"encrypt,omitempty"`
	Keys    string `json:"keys,omitempty"`
	// MP4 names the rungs that also become one file each; AllRungs all of them.
	MP4 []string `json:"mp4,omitempty"`
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
	differs("priority", a.Priority == b.Priority)
	differs("window_seconds", a.WindowSeconds == b.WindowSeconds)
	differs("encrypt", a.Encrypt == b.Encrypt)
	differs("keys", a.Keys == b.Keys)
	differs("mp4", slices.Equal(a.MP4, b.MP4))
	return fields
}
