package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/galafarm/gala/media"
)

// growing reads a source that is still being written: where it ends, it waits
// for more, until it has not grown for as long as quiet. It is read from its
// start alone: who looks at its end would wait for that.
type growing struct {
	Reader
	ctx   context.Context
	quiet time.Duration
	pause func(context.Context, time.Duration) error
	whole bool // it has stood for so long: this is its end
}

// A source that grows says so in its fragment, which no server sees:
// file:///recording.ts#growing, https://host/recording.ts#growing=10s&program=2.
const growingWord = "growing"

// quietDefault, quietLeast and quietMost: writers flush about every second, and
// a worker that gets nothing done for a minute is taken for stalled.
const quietDefault, quietLeast, quietMost = 30 * time.Second, time.Second, 45 * time.Second

// Grows tells an input whose address says that it is still being written.
func Grows(input string) bool {
	u, err := Parse(input)
	return err == nil && fragment(u).Has(growingWord)
}

// fragment holds the options of a clip's address.
func fragment(u *url.URL) url.Values {
	options, _ := url.ParseQuery(u.Fragment)
	return options
}

// quietGlance is enough for who only looks: a probe has 20 seconds in all.
const quietGlance = 2 * time.Second

// checkFragment refuses options that a clip's address cannot have.
func checkFragment(u *url.URL) error {
	if _, err := growth(u); err != nil {
		return err
	}
	_, err := programme(u, fragment(u))
	return err
}

// growth is how long a source may stand before it counts as whole, 0 for one
// that does not grow.
func growth(u *url.URL) (time.Duration, error) {
	options := fragment(u)
	value := options.Get(growingWord)
	if !options.Has(growingWord) || u.Scheme != "file" && u.Scheme != "http" && u.Scheme != "https" {
		return 0, nil
	}
	if value == "" {
		return quietDefault, nil
	}
	quiet, err := time.ParseDuration(value)
	if err != nil || quiet < quietLeast || quiet > quietMost {
		return 0, refused(fmt.Sprintf("source %s grows until it stands for %q", display(u), value), fmt.Sprintf("write #%s=30s, with at least %s and at most %s", growingWord, quietLeast, quietMost))
	}
	return quiet, nil
}

// notBegun: a source that grows may be asked for before its writer has begun.
func notBegun(name string) error {
	return &media.Error{Code: media.SourceError, Message: "source " + name + " grows, and has no bytes yet", Advice: "submit it when its recording has begun", Retryable: true}
}

func follow(ctx context.Context, r Reader, quiet time.Duration, rules Rules) *growing {
	g := &growing{Reader: r, ctx: ctx, quiet: quiet, pause: rules.Pause}
	if rules.Glance {
		g.quiet = min(quiet, quietGlance)
	}
	if g.pause == nil {
		g.pause = pause
	}
	return g
}

func (g *growing) Size() int64                    { return -1 }
func (g *growing) Seekable() bool                 { return false }
func (g *growing) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

func (g *growing) Read(p []byte) (int, error) {
	step := min(g.quiet/10, time.Second)
	for stood := time.Duration(0); !g.whole; stood += step {
		n, err := g.Reader.Read(p)
		if n > 0 || err != io.EOF { //nolint:errorlint // a bare EOF is the end so far
			return n, err
		}
		if stood >= g.quiet {
			g.whole = true
		} else if err := g.pause(g.ctx, step); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// pause is how a source is waited for, unless the rules know better.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
