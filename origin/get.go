package origin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/steering"
)

func (o *Origin) get(w *recorder, r *http.Request, obj object) error {
	switch {
	case obj.job == "":
		return o.list(w, r)
	case obj.name == "":
		return errNotFound
	case obj.name == dash.SteeredName:
		return o.getSteered(w, r, obj)
	case classOf(obj.name) == ClassPlaylist:
		return o.getPlaylist(w, r, obj)
	case obj.name == steering.Name:
		return o.getSteering(w, r, obj)
	}
	return o.getFile(w, r, obj)
}

func (o *Origin) getFile(w *recorder, r *http.Request, obj object) error {
	f, err := o.root.Open(obj.path())
	if err != nil {
		return fmt.Errorf("get %s: %w", obj.path(), hideEscape(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("get %s: %w", obj.path(), err)
	}
	if !info.Mode().IsRegular() {
		return errNotFound
	}
	h := w.Header()
	h.Set("ETag", fileTag(info))
	h.Set("Content-Type", contentType(obj.name))
	h.Set("Cache-Control", cacheControl(classOf(obj.name), nil))
	limitWrite(w, info.Size())
	http.ServeContent(w, r, obj.name, info.ModTime(), f)
	return nil
}

// hideEscape answers a link that leads out of the root like a missing file.
func hideEscape(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || os.IsTimeout(err) {
		return err
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok && strings.Contains(pe.Err.Error(), "escapes") {
		return errNotFound
	}
	return err
}

func (o *Origin) getPlaylist(w *recorder, r *http.Request, obj object) error {
	p, err := o.playlist(obj)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Type", contentType(obj.name))
	h.Set("Cache-Control", cacheControl(ClassPlaylist, p.raw))
	content, tag := p.raw, p.tag
	// A range is of the plain text: nobody can use half of a gzip stream.
	if r.Header.Get("Range") == "" && acceptsGzip(r.Header) {
		if gz := p.gzipped(); gz != nil {
			h.Set("Content-Encoding", "gzip")
			content, tag = gz, gzipTag(p.tag)
		}
	}
	h.Set("ETag", tag)
	limitWrite(w, int64(len(content)))
	http.ServeContent(w, r, obj.name, p.modified, bytes.NewReader(content))
	return nil
}

// slowestReader is the pace below which a reader's connection is given up.
const slowestReader = 16 << 10 // bytes per second

func limitWrite(w http.ResponseWriter, size int64) {
	limit := 30*time.Second + time.Duration(size/slowestReader)*time.Second
	// Not supported by a test's recorder: then there is nothing to guard.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
}

// acceptsGzip reads Accept-Encoding: gzip or * with a weight above zero.
func acceptsGzip(h http.Header) bool {
	star := false
	for _, field := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(field), ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return weight(params) > 0
		case "*":
			star = weight(params) > 0
		}
	}
	return star
}

func weight(params string) float64 {
	value, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0
	}
	return q
}

var _ io.ReaderFrom = (*recorder)(nil)
