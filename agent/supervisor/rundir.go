package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"google.golang.org/protobuf/encoding/protojson"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Files of a runtime directory. The worker reads the first, serves the second
// and writes the next two; the rest is the agent's. What libraries and crashes
// print has a file of its own: the worker turns its log over, and a descriptor
// would stay with the old one.
const (
	fileAssignment = "assignment.json"
	fileSocket     = "sock"
	fileLog        = "log"
	fileOutcome    = "outcome.json"
	fileStderr     = "stderr"
	fileProcess    = "process.json"
	fileStop       = "stop.json"
	fileDeclared   = "declared" // a scheduler has taken the outcome
	fileUndying    = "undying.json"
)

// runDir is the runtime directory of one worker: all that the next agent needs.
type runDir string

func (d runDir) path(file string) string { return filepath.Join(string(d), file) }

var safeID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// runDirOf refuses ids that would leave the directory of all runs.
func runDirOf(root string, a *galav1.Assignment) (runDir, error) {
	if !safeID.MatchString(a.GetId()) {
		return "", fmt.Errorf("assignment id %q: want letters, digits, '.', '_' or '-', at most 128", a.GetId())
	}
	return runDir(filepath.Join(root, fmt.Sprintf("%s-%d", a.GetId(), a.GetEpoch()))), nil
}

// create makes the directory and the worker's input in it.
func (d runDir) create(a *galav1.Assignment) error {
	text, err := protojson.MarshalOptions{Multiline: true}.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode assignment %s: %w", a.GetId(), err)
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return fmt.Errorf("create runtime directory: %w", err)
	}
	return d.write(fileAssignment, text)
}

func (d runDir) assignment() (*galav1.Assignment, error) {
	text, err := os.ReadFile(d.path(fileAssignment))
	if err != nil {
		return nil, fmt.Errorf("read assignment: %w", err)
	}
	a := &galav1.Assignment{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("parse %s: %w", d.path(fileAssignment), err)
	}
	return a, nil
}

// outcome is what the worker wrote. A missing file is os.ErrNotExist.
func (d runDir) outcome() (*galav1.Outcome, error) {
	text, err := readBounded(d.path(fileOutcome), 1<<20)
	if err != nil {
		return nil, err
	}
	o := &galav1.Outcome{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, o); err != nil {
		return nil, fmt.Errorf("parse outcome: %w", err)
	}
	if o.GetCode() == galav1.OutcomeCode_OUTCOME_CODE_UNSPECIFIED {
		return nil, errors.New("parse outcome: no code")
	}
	return o, nil
}

func (d runDir) writeOutcome(o *galav1.Outcome) error {
	text, err := protojson.MarshalOptions{Multiline: true}.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode outcome: %w", err)
	}
	return d.write(fileOutcome, text)
}

func (d runDir) writeJSON(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", file, err)
	}
	return d.write(file, text)
}

func (d runDir) readJSON(file string, v any) error {
	text, err := readBounded(d.path(file), 1<<16)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// write is temp and rename: a reader sees the whole file or none.
func (d runDir) write(file string, text []byte) error {
	tmp := d.path("." + file + ".tmp")
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(tmp, d.path(file)); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

func (d runDir) remove(file string) error {
	if err := os.Remove(d.path(file)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (d runDir) has(file string) bool {
	_, err := os.Stat(d.path(file))
	return err == nil
}
