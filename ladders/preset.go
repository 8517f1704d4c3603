package ladders

import (
	"embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

//go:embed sample.yaml
var sample []byte

// Sample is a ladder file that explains every key.
func Sample() []byte { return slices.Clone(sample) }

// Presets are the built-in ladders, by name.
func Presets() []*Ladder {
	names := presetNames()
	all := make([]*Ladder, len(names))
	for i, name := range names {
		l, err := Preset(name)
		if err != nil {
			panic(err) // the files are part of the program, and tested
		}
		all[i] = l
	}
	return all
}

func presetNames() []string {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Preset is the built-in ladder name. The error wraps ErrUnknownPreset and
// lists those that there are.
func Preset(name string) (*Ladder, error) {
	known := presetNames()
	if !slices.Contains(known, name) {
		return nil, fmt.Errorf("%q: %w; built in are %s, or name a file ending in .yaml", clip(name), ErrUnknownPreset, strings.Join(known, ", "))
	}
	file := path.Join("presets", name+".yaml")
	text, err := presetFiles.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	return Parse(file, text)
}

// Load reads the ladder file that nameOrFile is, by its .yaml ending or a
// directory in it, or else the preset of that name.
func Load(nameOrFile string) (*Ladder, error) { return LoadWith(nameOrFile, nil) }

// LoadWith is Load where logo tells what is wrong with the file of a logo, as
// ParseWith has it.
func LoadWith(nameOrFile string, logo func(file string) error) (*Ladder, error) {
	if !isFile(nameOrFile) {
		return Preset(nameOrFile)
	}
	text, err := os.ReadFile(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("read ladder: %w", err)
	}
	return ParseWith(nameOrFile, text, logo)
}

// Beside is the path of a logo that a ladder file names.
func Beside(ladder, logo string) string {
	if filepath.IsAbs(logo) {
		return logo
	}
	return filepath.Join(filepath.Dir(ladder), filepath.FromSlash(logo))
}

func isFile(s string) bool {
	return strings.HasSuffix(s, ".yaml") || strings.HasSuffix(s, ".yml") || strings.ContainsRune(s, os.PathSeparator)
}
