package packager

import (
	"sync"

	"github.com/galafarm/gala/media/hls"
)

// written are the playlists of one rendition that were written last. Takers
// that lost nothing list the same segments, so that however many there are each
// list is encoded once.
type written struct {
	mu   sync.Mutex
	last []encoded // newest first
}

type encoded struct {
	list           hls.Media
	media, iframes []byte
}

// keptLists: takers are a segment or two apart.
const keptLists = 4

// encode is the list's playlist and, of pictures, its I-frame playlist. The
// bytes are not the caller's to change.
func (w *written) encode(m *hls.Media, pictures bool) (media, iframes []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.last {
		if e.list.Equal(m) {
			return e.media, e.iframes
		}
	}
	e := encoded{list: m.Clone(), media: m.Encode()}
	if pictures {
		e.iframes = m.EncodeIFrames()
	}
	if len(w.last) == keptLists {
		w.last = w.last[:keptLists-1]
	}
	w.last = append([]encoded{e}, w.last...)
	return e.media, e.iframes
}
