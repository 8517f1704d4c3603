package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/galafarm/gala/agent/gpu/twin"
)

// twinSpec reads --twin; nil is the machine as it is.
func (c *upCmd) twinSpec() (*twin.Spec, error) {
	if c.Twin == "" {
		return nil, nil
	}
	spec, err := twin.Parse(c.Twin)
	if err != nil {
		return nil, &failure{exitUsage, fmt.Sprintf("--twin %s: %v", c.Twin, err),
			"give a list such as l4:2,h200:1, or a YAML file as agent/gpu/twin/README.md has it"}
	}
	return &spec, nil
}

// twinsIn gives the farm in the directory data its GPUs. A farm without them
// clears away what one left there that was killed.
func twinsIn(data, libraries string, spec *twin.Spec) (*twin.Twin, error) {
	dir := filepath.Join(data, "twin")
	if spec == nil {
		_ = twin.Remove(dir) // what is not a twin's is in nobody's way here
		return nil, nil
	}
	gpus, err := twin.New(dir, libraries, *spec)
	if err != nil {
		return nil, &failure{exitFailed, fmt.Sprintf("--twin: %v", err),
			"only a checkout has the twin, for tests and rehearsals; without --twin this machine's own GPUs are used"}
	}
	return gpus, nil
}

// twinLibraries is where `make twin` builds to when this program is in build/.
func twinLibraries() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return filepath.Join(filepath.Dir(self), "twin"), nil
}
