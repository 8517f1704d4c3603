package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/galafarm/gala/internal/version"
)

const about = "The transcoding farm. `gala up` starts one on this machine; " +
	"`gala live submit` and `gala vod queue` give it work."

const exitCodes = `Exit codes of gala:

  0    done; for --wait and watch: every job ended as it should
  1    it failed: the farm refused, the job failed or was cancelled, a rule broke
  2    not understood, or could not look (verify): nothing was changed
  3    no farm answers
  130  interrupted

Errors go to standard error, results to standard output.
`

type helpCmd struct {
	Topic []string `arg:"" optional:"" help:"A command (live submit), or exit-codes."`
}

func (c *helpCmd) Run(sh *shell) error {
	if strings.Join(c.Topic, " ") == "exit-codes" {
		_, err := fmt.Fprint(sh.out, exitCodes)
		return err
	}
	_, err := sh.parser.Parse(append(c.Topic, "--help"))
	if err != nil {
		return usage(err)
	}
	return nil
}

// withDefault is a flag's help with the default that its placeholder hides.
func withDefault(v *kong.Value) string {
	help := kong.DefaultHelpValueFormatter(v)
	if v.Flag == nil || v.Flag.PlaceHolder == "" || v.Default == "" {
		return help
	}
	return strings.TrimSuffix(help, ".") + ", default " + v.Default + "."
}

type versionCmd struct{}

func (versionCmd) Run(sh *shell) error {
	v := struct {
		Version  string `json:"version"`
		Commit   string `json:"commit"`
		Protocol int    `json:"protocol"`
	}{version.Version, version.Commit, version.Protocol}
	return sh.print(v, func() error {
		_, err := fmt.Fprintln(sh.out, "gala", version.String())
		return err
	})
}
