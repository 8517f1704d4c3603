package main

import (
	"github.com/galafarm/gala/media/verify"
)

type verifyCmd struct {
	Target  string `arg:"" name:"dir|url" help:"A job's tree: a directory, a URL, or its master.m3u8."`
	Against string `help:"A second tree that should be interchangeable with it." placeholder:"DIR|URL"`
	Keys    string `help:"A key file: encrypted pictures are decrypted and looked at." placeholder:"FILE"`
	Source  string `help:"The file that it was made from." placeholder:"FILE"`
}

// Run judges a tree: 0 when it passes, 1 when a rule broke, 2 when it could
// not look.
func (c *verifyCmd) Run(sh *shell) error {
	options := verify.Options{Target: c.Target, Against: c.Against, Source: c.Source}
	if c.Keys != "" {
		set, err := readKeys(c.Keys)
		if err != nil {
			return err
		}
		options.Keys = set
	}
	if child, ok := verify.FindChild(); ok {
		options.Decoder = child
	}
	report, err := verify.Run(sh.ctx, options)
	if sh.ctx.Err() != nil {
		return sh.ctx.Err()
	}
	if err != nil {
		return &failure{code: verify.ExitCode(report, err), message: err.Error(),
			advice: "give the folder or URL that holds a job's master.m3u8, such as DIR/ID or http://127.0.0.1:8080/origin/ID"}
	}
	if err := c.write(sh, report); err != nil {
		return err
	}
	if code := verify.ExitCode(report, nil); code != 0 {
		return &failure{code: code} // the report has said why
	}
	return nil
}

func (c *verifyCmd) write(sh *shell, report verify.Report) error {
	return sh.print(report, func() error { return report.WriteText(sh.out) })
}
