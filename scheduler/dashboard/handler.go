package dashboard

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"
)

// web holds the page. The folder vendor/ is made by the build from npm and may
// be missing.
//
//go:embed web
var web embed.FS

// Options are optional.
type Options struct {
	Log *slog.Logger
	// Version is shown at the foot of the page.
	Version string
	// Interval is the least time between two changes of one job on the page;
	// 0 means 500 ms.
	Interval time.Duration
	// Beat is how often a quiet stream says that it lives; 0 means 5 s.
	Beat time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Interval == 0 {
		o.Interval = 500 * time.Millisecond
	}
	if o.Beat == 0 {
		o.Beat = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Paths that the handler answers, for whoever mounts it piece by piece.
const (
	PathPage   = "/"
	PathAssets = "/ui/"
	PathEvents = "/api/v1/events"
)

// Handler serves the page at /, its files at /ui/ and its events at
// /api/v1/events. It may be mounted at / beside more specific patterns.
func Handler(source Source, opt Options) http.Handler {
	opt = opt.withDefaults()
	page := embedded(opt.Version)
	if !page.hasPlayer() {
		opt.Log.Warn("the page was built without its player, so it cannot play ladders; run make build")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page.index)
	mux.HandleFunc("GET "+PathAssets, page.asset)
	mux.Handle("GET "+PathEvents, &events{source: source, opt: opt})
	return mux
}

func embedded(version string) *pages {
	files, err := fs.Sub(web, "web")
	if err == nil {
		var page *pages
		if page, err = newPages(files, version); err == nil {
			return page
		}
	}
	panic(err) // what is embedded can be read: this cannot be
}
