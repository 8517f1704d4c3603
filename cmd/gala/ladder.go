package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"github.com/galafarm/gala/ladders"
	"github.com/goccy/go-yaml"
)

type ladderCmd struct {
	Ls    ladderLsCmd    `cmd:"" aliases:"list" help:"List the built-in ladders."`
	Show  ladderShowCmd  `cmd:"" help:"Show a ladder; -o yaml prints it as a file to start from."`
	Check ladderCheckCmd `cmd:"" help:"Check ladder files: every mistake at once, each with its place."`
}

type ladderLsCmd struct{}

func (ladderLsCmd) Run(sh *shell) error {
	var list []map[string]any
	for _, l := range ladders.Presets() {
		list = append(list, map[string]any{"name": l.Name, "about": l.About, "video": len(l.Video), "audio": len(l.Audio)})
	}
	return sh.print(map[string]any{"ladders": list}, func() error {
		_, err := fmt.Fprint(sh.out, ladders.List())
		return err
	})
}

type ladderShowCmd struct {
	Ladder  string `arg:"" help:"Name of a preset, or a YAML file."`
	Encoder string `help:"Show what each rung becomes on an encoder (libx264, hevc_nvenc, ...) or on all, option by option." placeholder:"NAME|all"`
	Source  string `help:"The source it is made from, such as 1920x1080@50 or 3840x2160@59.94:pq; goes with --encoder. Default: 3840x2160@30." placeholder:"WxH@FPS"`
	Live    bool   `help:"As a live job is encoded, not a file; goes with --encoder."`
	CPUs    int    `name:"cpus" help:"CPUs of the machine that encodes; goes with --encoder. Default: this one's." placeholder:"N"`
}

func (c *ladderShowCmd) Run(sh *shell) error {
	l, err := loadLadder(c.Ladder)
	if err != nil {
		return badLadder(err)
	}
	if c.CPUs <= 0 {
		c.CPUs = runtime.NumCPU()
	}
	if c.Encoder != "" {
		return c.runEncoders(sh, l)
	}
	if c.Source != "" || c.Live {
		return &failure{exitUsage, "--source and --live go with --encoder", "`--encoder all` shows what every rung becomes"}
	}
	switch sh.flags.Output {
	case asYAML:
		_, err = sh.out.Write(l.Marshal())
	case asJSON:
		var text []byte
		if text, err = yaml.YAMLToJSON(l.Marshal()); err == nil {
			err = sh.print(json.RawMessage(text), nil)
		}
	default:
		_, err = fmt.Fprint(sh.out, ladders.Describe(l))
	}
	return err
}

type ladderCheckCmd struct {
	Ladders []string `arg:"" name:"ladder" help:"YAML files, or names of presets."`
}

// Run checks all of them, whatever is wrong with one.
func (c *ladderCheckCmd) Run(sh *shell) error {
	var wrong []error
	for _, name := range c.Ladders {
		l, err := loadLadder(name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if _, err := fmt.Fprint(sh.out, ladders.Checked(l)); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return badLadder(errors.Join(wrong...))
	}
	return nil
}

func badLadder(err error) error {
	return &failure{exitFailed, err.Error(), "`gala ladder ls` lists the ladders known by name, `gala ladder show hd -o yaml` prints one to start from"}
}
