package verify

import (
	"context"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// followManifest reads the DASH manifest as often as it asks for. A live tree
// has none in its first seconds, and one of HLS alone never has.
func (w *watcher) followManifest(ctx context.Context) {
	var published time.Time
	for pause := time.Duration(0); rest(ctx, pause); {
		pause = masterEvery
		o, ok := w.get(ctx, manifestName)
		if ctx.Err() != nil {
			return
		}
		if !ok {
			w.holds("watch-manifest", published.IsZero(), "", at(manifestName), "it was there, and is not any more")
			continue
		}
		doc, err := parseManifest(o.body)
		w.holds("watch-manifest", err == nil, "", at(manifestName), "%v", err)
		if err != nil {
			continue
		}
		now := publishTime(doc)
		w.holds("watch-manifest", !now.Before(published), "", at(manifestName), "published at %v, before that at %v", now, published)
		if published = now; doc.GetType() != mpd.DYNAMIC_TYPE {
			return
		}
		if p := since(doc.MinimumUpdatePeriod); p > 0 {
			pause = max(p, time.Second)
		}
	}
}

// publishTime is zero where the manifest has none that can be read.
func publishTime(doc *mpd.MPD) time.Time {
	t, _ := time.Parse(time.RFC3339, string(doc.PublishTime))
	return t
}
