package main

import (
	"time"

	"github.com/galafarm/gala/media/verify"
)

type verifyCmd struct {
	Target  string         `arg:"" name:"dir|url" help:"A job's tree: a directory, a URL, or its master.m3u8."`
	Against string         `help:"A second tree that should be interchangeable with it." xor:"how" placeholder:"DIR|URL"`
	Watch   *time.Duration `help:"Follow a live tree for so long, as a player does, and judge what comes; 0s: until interrupted." xor:"how" placeholder:"DURATION"`
	Pace    time.Duration  `help:"With --watch: time between two looks at a playlist, which is the precision of every delay; default: a player's." placeholder:"DURATION"`
	Keys    string         `help:"A key file: encrypted pictures are decrypted and looked at." placeholder:"FILE"`
	Source  string         `help:"The file that it was made from." placeholder:"FILE"`
}

// Run judges a tree: 0 when it passes, 1 when a rule broke, 2 when it could
// not look.
func (c *verifyCmd) Run(sh *shell) error {
	look := c.look
	if c.Watch != nil {
		look = c.follow
	}
	report, err := look(sh)
	if err != nil {
		return err
	}
	if err := sh.print(report, func() error { return report.WriteText(sh.out) }); err != nil {
		return err
	}
	if code := verify.ExitCode(report, nil); code != 0 {
		return &failure{code: code} // the report has said why
	}
	return nil
}

func (c *verifyCmd) look(sh *shell) (verify.Report, error) {
	if c.Pace != 0 {
		return verify.Report{}, &failure{exitUsage, "--pace goes with --watch", "a look at a tree reads each thing once"}
	}
	options := verify.Options{Target: c.Target, Against: c.Against, Source: c.Source}
	if c.Keys != "" {
		set, err := readKeys(c.Keys)
		if err != nil {
			return verify.Report{}, err
		}
		options.Keys = set
	}
	if child, ok := verify.FindChild(); ok {
		options.Decoder = child
	}
	report, err := verify.Run(sh.ctx, options)
	if sh.ctx.Err() != nil {
		return report, sh.ctx.Err()
	}
	return report, cannotLook(err)
}

// follow ends with its time or with the first interrupt: what was seen until
// then is judged either way.
func (c *verifyCmd) follow(sh *shell) (verify.Report, error) {
	switch {
	case c.Keys != "" || c.Source != "":
		return verify.Report{}, &failure{exitUsage, "--watch decodes nothing: it takes neither --keys nor --source", "look at the tree without --watch for that"}
	case *c.Watch < 0 || c.Pace < 0:
		return verify.Report{}, &failure{exitUsage, "--watch and --pace are not below 0", "--watch 10m, or --watch 0s until Ctrl-C"}
	}
	report, err := verify.Watch(sh.ctx, verify.WatchOptions{Target: c.Target, For: *c.Watch, Pace: c.Pace})
	return report, cannotLook(err)
}

func cannotLook(err error) error {
	if err == nil {
		return nil
	}
	return &failure{code: verify.ExitCannotLook, message: err.Error(),
		advice: "give the folder or URL that holds a job's master.m3u8, such as DIR/ID or http://127.0.0.1:8080/origin/ID"}
}
