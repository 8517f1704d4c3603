package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// lossFlags say when a live input is lost, and what is shown meanwhile. Job files
// have them by the same names.
type lossFlags struct {
	LossAfter  time.Duration `yaml:"loss-after" help:"An input is lost when nothing came for so long; 100ms to 10s." default:"500ms" placeholder:"TIME"`
	SlateAfter time.Duration `yaml:"slate-after" help:"How long the last picture stands before the slate does." default:"5s" placeholder:"TIME"`
	SlateText  string        `yaml:"slate-text" help:"What the slate says. Default: NO SIGNAL." placeholder:"TEXT"`
	SlateColor string        `yaml:"slate-color" help:"Its colour, such as 1c1c1e." placeholder:"RRGGBB"`
	SlateImage string        `yaml:"slate-image" help:"A PNG file that it shows." placeholder:"FILE"`
	Return     time.Duration `yaml:"return" help:"Go back to --input when it has been healthy for so long. Default: only when told to." placeholder:"TIME"`
	Black      time.Duration `yaml:"black" help:"Leave an input that shows black for so long, where another can be shown." placeholder:"TIME"`
	Freeze     time.Duration `yaml:"freeze" help:"Likewise one whose picture stands." placeholder:"TIME"`
	Silence    time.Duration `yaml:"silence" help:"Likewise one whose sound is silent." placeholder:"TIME"`
}

// add puts what differs from the defaults into a spec.
func (f *lossFlags) add(s *galav1.JobSpec) error {
	l := media.Loss{After: f.LossAfter, Slate: f.SlateAfter, Return: f.Return, Black: f.Black, Freeze: f.Freeze, Silence: f.Silence}
	if l.After == media.DefaultLossAfter {
		l.After = 0
	}
	if l.Slate == media.DefaultSlateAfter {
		l.Slate = 0
	}
	for _, d := range []time.Duration{l.After, l.Slate, l.Return, l.Black, l.Freeze, l.Silence} {
		if d < 0 || d > 24*time.Hour {
			return &failure{code: exitUsage, message: fmt.Sprintf("time %v: want at most 24h", d)}
		}
	}
	s.Failover = wire.LossProto(l)
	slate := media.Slate{Color: strings.TrimPrefix(f.SlateColor, "#"), Text: f.SlateText}
	if f.SlateImage != "" {
		image, err := os.ReadFile(f.SlateImage)
		if err != nil {
			return &failure{code: exitUsage, message: fmt.Sprintf("slate: %v", err)}
		}
		slate.Image = image
	}
	s.Slate = wire.SlateProto(slate)
	return nil
}

type switchCmd struct {
	jobArg
	Input string `arg:"" help:"Which one: primary, backup-1, backup-2, ... or its number, 0 for the primary."`
}

func (c *switchCmd) Run(sh *shell) error {
	to, err := inputNumber(c.Input)
	if err != nil {
		return err
	}
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	job, err := farm.Switch(sh.ctx, c.ID, to)
	if err != nil {
		return err
	}
	return sh.print(job, func() error {
		_, err := fmt.Fprintf(sh.out, "%s: %s goes on air as soon as it has pictures; `gala live show %s` tells\n", c.ID, media.InputName(to), c.ID)
		return err
	})
}

// inputNumber reads the name or the number of an input.
func inputNumber(s string) (int, error) {
	if s == "primary" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "backup-"))
	if err != nil || n < 0 {
		return 0, &failure{code: exitUsage, message: fmt.Sprintf("input %q: want primary, backup-1, backup-2, ... or a number", s)}
	}
	return n, nil
}

// onAirLine says which input is on air.
func onAirLine(v *galav1.InputView) string {
	if v == nil {
		return ""
	}
	says := v.GetName()
	switch {
	case v.GetSlate():
		says += " is away: the slate is shown"
	case v.GetLapse():
		says += " is away: its last picture stands"
	}
	if p := v.GetPending(); p != nil {
		says += "; " + media.InputName(int(p.GetInput())) + " was asked for and is waited for"
	}
	return says
}
