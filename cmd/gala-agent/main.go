// Gala-agent is one host's part of the farm: it registers with a scheduler,
// runs what is placed here in worker processes, and tells how they are.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the whole surface.
type cli struct {
	LogLevel  slog.Level `help:"Least level that is logged: debug, info, warn, error." default:"info" env:"GALA_LOG_LEVEL"`
	LogFormat string     `help:"Format of the log on standard error." enum:"text,json" default:"text" env:"GALA_LOG_FORMAT"`

	Run     runCmd     `cmd:"" default:"withargs" help:"Run the agent until a signal ends it (the default)."`
	Devices devicesCmd `cmd:"" help:"List what this host offers, and why a device is not usable."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// oneWish: signals that come together are one. The kernel tells the death of a
// parent once for each of its threads. A later signal ends the agent at once,
// and its workers go on.
const oneWish = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(oneWish, stop) })
	outliveReaders()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gala-agent:", err)
		os.Exit(1)
	}
}

// outliveReaders keeps a log that nobody reads any more from ending the agent:
// whoever started it may have been killed, and then there are workers to
// finish. Ignoring the signal would do as well, but workers would inherit that.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

func run(ctx context.Context, args []string) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("gala-agent"), kong.UsageOnError(),
		kong.Description("The agent of a Gala transcoding farm."),
		kong.Vars{"data": defaultData(), "name": defaultName()},
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return err
	}
	call, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return call.Run(c.logger())
}

func (c *cli) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
