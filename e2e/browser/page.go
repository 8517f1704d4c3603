package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is one open tab.
type Page struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	problems []string
	requests []string
}

// Open opens a tab on the address. Closing the page, or the browser, ends it.
func (b *Browser) Open(address string, look Look) (*Page, error) {
	p := &Page{}
	p.ctx, p.cancel = chromedp.NewContext(b.ctx, chromedp.WithListener(p.listen))
	enable := func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, netErr := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		_, logErr := chromedp.Call(ctx, log.Enable, cdp.Empty{})
		return chromedp.Void{}, errors.Join(netErr, logErr)
	}
	actions := append(look.actions(), enable)
	for _, action := range append(actions, chromedp.Navigate(address)) {
		if err := chromedp.Do(p.ctx, action); err != nil {
			p.cancel()
			return nil, fmt.Errorf("open %s: %w", address, err)
		}
	}
	return p, nil
}

// Close closes the tab.
func (p *Page) Close() { p.cancel() }

// Problems are what went wrong on the page: exceptions, errors in its console,
// and requests to hosts that are not this machine.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Requests are the addresses that the page asked for, in order.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// listen runs on the tab's reader: it only takes notes.
func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+exceptionText(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			p.problems = append(p.problems, "console: "+argumentText(e.Args))
		}
	case *log.EventEntryAdded:
		// A 404 is how a page finds that something is not there yet.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			p.problems = append(p.problems, "log: "+e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
		if !local(e.Request.URL) {
			p.problems = append(p.problems, "request to another host: "+e.Request.URL)
		}
	}
}

func exceptionText(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return d.Text
}

func argumentText(args []*runtime.RemoteObject) string {
	text := ""
	for _, a := range args {
		text += a.Description + string(a.Value) + " "
	}
	return text
}

func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "data", "blob", "about":
		return true
	}
	host := u.Hostname()
	return host == "127.0.0.1" || host == "::1" || host == "localhost"
}

// Eval evaluates JavaScript in the page; promises are awaited.
func Eval[T any](p *Page, script string) (T, error) {
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		return value, fmt.Errorf("evaluate %q: %w", script, err)
	}
	return value, nil
}

// Click clicks the first element that the CSS selector finds.
func (p *Page) Click(selector string) error {
	if err := chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		return fmt.Errorf("click %s: %w", selector, err)
	}
	return nil
}

// Press sends one key to what has the focus.
func (p *Page) Press(key string) error {
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(key)); err != nil {
		return fmt.Errorf("press %q: %w", key, err)
	}
	return nil
}

// Relook shows the page in another size or colour scheme.
func (p *Page) Relook(look Look) error {
	return chromedp.Do(p.ctx, look.actions()...)
}

// Screenshot is a PNG of the visible part, or of the whole page.
func (p *Page) Screenshot(whole bool) ([]byte, error) {
	shot := chromedp.CaptureScreenshot()
	if whole {
		shot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(p.ctx, shot)
	if err != nil {
		return nil, fmt.Errorf("screenshot: %w", err)
	}
	return png, nil
}

const pollEvery = 100 * time.Millisecond

// WaitEval evaluates the expression until it is true, for as long as ctx lives.
func (p *Page) WaitEval(ctx context.Context, what, expression string) error {
	return poll(ctx, what, func() (bool, string, error) {
		ok, err := Eval[bool](p, "Boolean("+expression+")")
		return ok, expression, err
	})
}

// poll looks again and again; when ctx ends it tells what was seen last.
func poll(ctx context.Context, what string, look func() (bool, string, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, seen, err := look()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last seen: %s", what, ctx.Err(), seen)
		case <-tick.C:
		}
	}
}

// Throttle bounds what the page may load in bits per second; 0 takes the
// bound away.
func (p *Page) Throttle(bitsPerSecond float64) error {
	rate := bitsPerSecond / 8
	if rate == 0 {
		rate = -1
	}
	all := &network.Conditions{DownloadThroughput: rate, UploadThroughput: -1}
	_, err := chromedp.Call(p.ctx, network.EmulateNetworkConditionsByRule,
		network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{all}})
	if err != nil { // an older Chromium knows only the call before that
		older := map[string]any{"offline": false, "latency": 0, "downloadThroughput": rate, "uploadThroughput": -1}
		_, err = chromedp.Call(p.ctx, cdp.Command[map[string]any, struct{}]{Method: "Network.emulateNetworkConditions"}, older)
	}
	if err != nil {
		return fmt.Errorf("throttle to %.0f bit/s: %w", bitsPerSecond, err)
	}
	return nil
}
