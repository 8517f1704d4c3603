package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/goccy/go-yaml"
)

// jobFile is a live job as a file: the flags of `live submit` by the same
// names. Paths in it are relative to the file.
type jobFile struct {
	ID         string        `yaml:"id"`
	Input      string        `yaml:"input"`
	Backup     []string      `yaml:"backup"`
	Ladder     string        `yaml:"ladder"`
	To         []string      `yaml:"to"`
	CPU        string        `yaml:"cpu"`
	Redundancy uint32        `yaml:"redundancy"`
	Steering   string        `yaml:"steering"`
	Window     time.Duration `yaml:"window"`
	Encrypt    string        `yaml:"encrypt"`
	Keys       string        `yaml:"keys"`
	Loss       lossFlags     `yaml:",inline"`
}

// readJobFile reads strictly: a key it does not know is a mistake.
func readJobFile(path string) (*galav1.JobSpec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &failure{code: exitUsage, message: fmt.Sprintf("job file: %v", err)}
	}
	f := jobFile{Ladder: "hd", CPU: "allowed"}
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, &failure{code: exitUsage, message: fmt.Sprintf("job file %s: %v", path, err),
			advice: "its keys are id, input, backup, ladder, to, cpu, redundancy, steering, window, encrypt, keys, loss-after, slate-after, slate-text, slate-color, slate-image, return, black, freeze and silence"}
	}
	return f.spec(path)
}

func (f *jobFile) spec(path string) (*galav1.JobSpec, error) {
	if f.Input == "" {
		return nil, &failure{code: exitUsage, message: fmt.Sprintf("job file %s: no input", path)}
	}
	if cpuPolicy(f.CPU) == 0 {
		return nil, &failure{code: exitUsage, message: fmt.Sprintf("job file %s: cpu is %q: want never, allowed or only", path, f.CPU)}
	}
	window, err := windowSeconds(f.Window)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	s := &galav1.JobSpec{
		Id: f.ID, Input: besideFile(dir, f.Input), Backups: allBeside(dir, f.Backup), Destinations: allBeside(dir, f.To),
		Cpu: cpuPolicy(f.CPU), Redundancy: f.Redundancy, Steering: f.Steering, WindowSeconds: window,
	}
	if s.Id == "" {
		s.Id = idFor(f.Input)
	}
	from := f.Keys
	if from != "" {
		from = besideFile(dir, from)
	}
	if err := setProtection(s, f.Encrypt, from); err != nil {
		return nil, err
	}
	if f.Loss.SlateImage != "" {
		f.Loss.SlateImage = besideFile(dir, f.Loss.SlateImage)
	}
	if err := f.Loss.add(s); err != nil {
		return nil, err
	}
	if isLadderFile(f.Ladder) {
		return s, setLadder(s, besideFile(dir, f.Ladder))
	}
	return s, setLadder(s, f.Ladder)
}

func besideFile(dir, path string) string {
	if client.IsURL(path) || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func allBeside(dir string, paths []string) []string {
	var list []string
	for _, p := range paths {
		list = append(list, besideFile(dir, p))
	}
	return list
}
