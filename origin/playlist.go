package origin

import (
	"bytes"
	"compress/gzip"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"strings"
	"sync"
	"time"
)

// playlist is one version of a playlist in memory. Its tag is of its content,
// so that it survives a restart and two rewrites within one tick of the file
// system's clock differ.
type playlist struct {
	raw      []byte
	tag      string
	modified time.Time
	info     os.FileInfo

	compress sync.Once
	gz       []byte
}

// maxPlaylist keeps a file that only looks like a playlist out of memory.
const maxPlaylist = 32 << 20

// gzipped is nil where compression gains nothing.
func (p *playlist) gzipped() []byte {
	p.compress.Do(func() {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(p.raw)
		if z.Close() == nil && b.Len() < len(p.raw) {
			p.gz = b.Bytes()
		}
	})
	return p.gz
}

// playlist reads through the cache. The file's identity is compared every time:
// a job whose destination is this directory writes without asking the origin.
func (o *Origin) playlist(obj object) (*playlist, error) {
	info, err := o.root.Stat(obj.path())
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", obj.path(), hideEscape(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errNotFound
	}
	if p := o.playlists.find(obj.path()); p != nil && sameFile(p.info, info) {
		return p, nil
	}
	if info.Size() > maxPlaylist {
		return nil, fmt.Errorf("get %s: %d bytes are too many for a playlist", obj.path(), info.Size())
	}
	raw, info, err := readAll(o.root, obj.path())
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", obj.path(), err)
	}
	p := &playlist{raw: raw, tag: contentTag(raw), modified: info.ModTime(), info: info}
	o.playlists.keep(obj.path(), p)
	return p, nil
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func contentTag(content []byte) string {
	h := sha256.New()
	h.Write(content)
	return hashTag(h)
}

func hashTag(h hash.Hash) string { return `"` + hex.EncodeToString(h.Sum(nil)[:12]) + `"` }

// fileTag is enough for a file that is written once, and cheap for a large one.
func fileTag(info os.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
}

const gzipSuffix = `-gz"`

func gzipTag(tag string) string { return strings.TrimSuffix(tag, `"`) + gzipSuffix }

// plainTag undoes gzipTag, so that a writer may hand back either.
func plainTag(tag string) string {
	if rest, ok := strings.CutSuffix(tag, gzipSuffix); ok {
		return rest + `"`
	}
	return tag
}

// etag is what GET would say of the object now.
func (o *Origin) etag(obj object, info os.FileInfo) (string, error) {
	if classOf(obj.name) != ClassPlaylist {
		return fileTag(info), nil
	}
	p, err := o.playlist(obj)
	if err != nil {
		return "", err
	}
	return p.tag, nil
}

// playlistCache holds the newest playlists, least recently used ones out first.
type playlistCache struct {
	mu     sync.Mutex
	limit  int64
	size   int64
	order  *list.List // of *cached, newest first
	byPath map[string]*list.Element
}

type cached struct {
	path string
	p    *playlist
}

func newPlaylistCache(limit int64) *playlistCache {
	return &playlistCache{limit: limit, order: list.New(), byPath: map[string]*list.Element{}}
}

// cost counts the compressed copy as half, made or not.
func (c *cached) cost() int64 { return int64(len(c.p.raw))*3/2 + 256 }

func (c *playlistCache) find(path string) *playlist {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byPath[path]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).p
}

func (c *playlistCache) keep(path string, p *playlist) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.byPath[path])
	entry := &cached{path: path, p: p}
	c.byPath[path] = c.order.PushFront(entry)
	c.size += entry.cost()
	for c.size > c.limit {
		c.drop(c.order.Back())
	}
}

func (c *playlistCache) forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.byPath[path])
}

func (c *playlistCache) forgetTree(job string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, e := range c.byPath {
		if strings.HasPrefix(path, job+"/") {
			c.drop(e)
		}
	}
}

func (c *playlistCache) drop(e *list.Element) {
	if e == nil {
		return
	}
	entry := c.order.Remove(e).(*cached)
	delete(c.byPath, entry.path)
	c.size -= entry.cost()
}
