package browser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// ErrMissing says that there is no Chromium; a test of the page fails with it
// rather than pass without having looked.
var ErrMissing = errors.New("no Chromium on this machine: install the package chromium")

// Browser is one Chromium process.
type Browser struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// names are tried in order; the first is Debian's.
var names = []string{"chromium", "chromium-browser", "google-chrome"}

func find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Start starts a browser that lives until Close or the end of ctx.
func Start(ctx context.Context) (*Browser, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		// Tests run as root in containers, where Chromium's own sandbox cannot.
		chromedp.NoSandbox,
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost , EXCLUDE [::1]"),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocated, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	browser, cancelBrowser := chromedp.NewContext(allocated)
	b := &Browser{ctx: browser, cancel: func() { cancelBrowser(); cancelAllocator() }}
	if err := chromedp.Do(browser); err != nil {
		b.cancel()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser and waits until it has gone.
func (b *Browser) Close() error {
	defer b.cancel()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close browser: %w", err)
	}
	return nil
}

// Look is how a page is looked at; the zero value is a light desktop.
type Look struct {
	Width, Height int64
	Dark          bool
}

func (l Look) actions() []chromedp.Action[chromedp.Void] {
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	if l.Width == 0 {
		l.Width, l.Height = 1280, 900
	}
	colours := func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
	return []chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(l.Width, l.Height), colours}
}
