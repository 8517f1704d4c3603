package origin

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/steering"
)

// absolute in the query of a steering manifest asks for a RELOAD-URI that is: players of
// DASH do not resolve others (dash.js 5, shaka 5).
const absolute = "absolute"

// maxSteering keeps a file that only has the name out of memory.
const maxSteering = 64 << 10

// getSteering serves a steering manifest in the order of the viewer's share, so
// that replicas which are all well carry the same number of viewers. A viewer
// without a share gets one by the address and keeps it by the RELOAD-URI: it stays
// the same on another network, and a CDN has few answers to keep.
func (o *Origin) getSteering(w *recorder, r *http.Request, obj object) error {
	info, err := o.root.Stat(obj.path())
	if err != nil {
		return fmt.Errorf("get %s: %w", obj.path(), hideEscape(err))
	}
	if !info.Mode().IsRegular() || info.Size() > maxSteering {
		return o.getFile(w, r, obj)
	}
	raw, _, err := readAll(o.root, obj.path())
	if err != nil {
		return fmt.Errorf("get %s: %w", obj.path(), err)
	}
	m, err := steering.Parse(raw)
	if err != nil {
		return o.getFile(w, r, obj) // somebody else's
	}
	h := w.Header()
	h.Set("Content-Type", contentType(obj.name))
	share, told := shareOf(r)
	m = m.For(share)
	shared := told
	if r.URL.Query().Has(absolute) {
		m.Reload = o.base(r) + obj.dir() + "/" + m.Reload + "&" + absolute
		shared = shared && o.cfg.Public != ""
	}
	if shared {
		h.Set("Cache-Control", cacheLive)
	} else {
		h.Set("Cache-Control", cacheNever)
	}
	body := m.Encode()
	h.Set("ETag", contentTag(body))
	limitWrite(w, int64(len(body)))
	http.ServeContent(w, r, obj.name, time.Time{}, bytes.NewReader(body))
	return nil
}

// getSteered serves the manifest above a job's replicas with absolute addresses and
// the steering server, for players of DASH. Writers never see it.
func (o *Origin) getSteered(w *recorder, r *http.Request, obj object) error {
	manifest := obj
	manifest.name = dash.Name
	p, err := o.playlist(manifest)
	if err != nil {
		return err
	}
	server := obj
	server.name = steering.Name
	if _, err := o.root.Stat(server.path()); err != nil {
		return fmt.Errorf("get %s: %w", obj.path(), hideEscape(err))
	}
	tree := o.base(r) + obj.dir() + "/"
	body, err := dash.Steered(p.raw, tree, tree+steering.Name+"?"+absolute)
	if err != nil {
		return errNotFound // a job without replicas
	}
	h := w.Header()
	h.Set("Content-Type", contentType(obj.name))
	h.Set("Cache-Control", cacheControl(ClassPlaylist, body))
	if o.cfg.Public == "" {
		h.Set("Cache-Control", cacheNever)
	}
	h.Set("ETag", contentTag(body))
	limitWrite(w, int64(len(body)))
	http.ServeContent(w, r, obj.name, time.Time{}, bytes.NewReader(body))
	return nil
}

// base is the address of Prefix: as it is configured, else as the viewer wrote it,
// which is for that viewer alone: no cache may keep it for others.
func (o *Origin) base(r *http.Request) string {
	if o.cfg.Public != "" {
		return strings.TrimSuffix(o.cfg.Public, "/") + "/"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + Prefix
}

// shareOf a viewer, and whether the viewer told it.
func shareOf(r *http.Request) (share int, told bool) {
	if n, err := strconv.Atoi(r.URL.Query().Get("share")); err == nil && n >= 0 && n < steering.Shares {
		return n, true
	}
	// Whoever invents an address here chooses a replica, which everybody may.
	viewer, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if viewer == "" {
		viewer = r.RemoteAddr
		if host, _, err := net.SplitHostPort(viewer); err == nil {
			viewer = host
		}
	}
	h := fnv.New32a()
	h.Write([]byte(strings.TrimSpace(viewer)))
	return int(h.Sum32() % steering.Shares), false
}
