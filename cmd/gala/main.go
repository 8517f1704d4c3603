// Gala is the farm's one command: it starts a farm on this machine, its parts
// on many, and is what operators, origins and VOD teams type.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// cli is the whole surface.
type cli struct {
	Farm   []string `help:"gRPC address of the farm; several are tried in order." env:"GALA_FARM" placeholder:"HOST:PORT" default:"127.0.0.1:8081"`
	Output format   `short:"o" help:"Output as table, json or yaml." enum:"table,json,yaml" default:"table" placeholder:"FORMAT"`

	Live   liveCmd   `cmd:"" help:"Live jobs: put on air, watch, stop." group:"Jobs"`
	Vod    vodCmd    `cmd:"" help:"VOD jobs: queue files, watch, cancel, retry." group:"Jobs"`
	Fleet  fleetCmd  `cmd:"" help:"Hosts and devices." group:"The farm"`
	Ladder ladderCmd `cmd:"" help:"Ladders: list, show, check." group:"Media"`
	Verify verifyCmd `cmd:"" help:"Judge what a job produced, rule by rule." group:"Media"`

	Up        upCmd        `cmd:"" help:"A farm on this machine: scheduler, origin, page and one agent." group:"The farm"`
	Scheduler schedulerCmd `cmd:"" help:"The scheduler of a farm of many hosts." group:"The farm"`
	Origin    originCmd    `cmd:"" help:"A small HTTP origin that workers write to." group:"The farm"`
	Rehearse  rehearseCmd  `cmd:"" help:"Break this machine's farm on purpose while a live job is on air, and say what viewers would notice." group:"The farm"`
	Doctor    doctorCmd    `cmd:"" help:"What this machine has, and what to do about what it lacks." group:"The farm"`

	Version versionCmd `cmd:"" help:"Print the version." group:"Help"`
	Help    helpCmd    `cmd:"" help:"Help for a command, or on a topic: exit-codes." group:"Help"`
}

// shell is the world around one command.
type shell struct {
	ctx      context.Context
	stdin    io.Reader
	out, err io.Writer
	now      func() time.Time
	terminal bool // out is one: progress may be drawn
	flags    *cli // what every command takes
	parser   *kong.Kong
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(&shell{
		ctx: ctx, stdin: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now,
		terminal: term.IsTerminal(int(os.Stdout.Fd())),
	}, os.Args[1:]))
}

// exited is how kong's --help leaves.
type exited int

// run is the program without its process: arguments in, exit code out.
func run(sh *shell, args []string) (code int) {
	defer func() {
		if left := recover(); left != nil {
			status, ok := left.(exited)
			if !ok {
				panic(left)
			}
			code = int(status)
		}
	}()
	var c cli
	parser, err := kong.New(&c, kong.Name("gala"), kong.Description(about),
		kong.Writers(sh.out, sh.err), kong.Exit(func(status int) { panic(exited(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.ValueFormatter(withDefault),
		kong.Vars{"data": defaultData()})
	if err != nil {
		return sh.fail(err)
	}
	sh.flags, sh.parser = &c, parser
	if len(args) == 0 {
		args = []string{"--help"}
	}
	call, err := parser.Parse(args)
	if err != nil {
		return sh.fail(usage(err))
	}
	return sh.fail(call.Run(sh))
}

// usage is a mistake on the command line, with where to read on.
func usage(err error) error {
	advice := "`gala --help` lists the commands"
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		if node := parse.Context.Selected(); node != nil {
			advice = "`gala " + node.Path() + " --help` explains it"
		}
	}
	return &failure{code: exitUsage, message: err.Error(), advice: advice}
}
