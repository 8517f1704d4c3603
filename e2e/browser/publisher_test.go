package browser

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/origin"
)

// publisher writes a finished tree to an origin again, segment by segment, as a
// worker would: media first, then the playlists that list it.
type publisher struct {
	base string // …/origin/JOB
	tree fs.FS
	kind string // "" for live, "EVENT" for a file that is being encoded
	pace time.Duration
}

var renditions = []string{"360p", "180p", "stereo"}

// run publishes every segment and ends the playlists.
func (p *publisher) run(ctx context.Context) error {
	tick := time.NewTicker(p.pace)
	defer tick.Stop()
	count, err := p.segments()
	if err != nil {
		return err
	}
	for n := 1; n <= count; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := p.publish(ctx, n, n == count); err != nil {
			return err
		}
	}
	return nil
}

func (p *publisher) segments() (int, error) {
	names, err := fs.Glob(p.tree, "360p/*.m4s")
	return len(names), err
}

// publish makes the first n segments of every rendition listed.
func (p *publisher) publish(ctx context.Context, n int, last bool) error {
	for _, r := range renditions {
		if n == 1 {
			if err := p.copy(ctx, initOf(p.tree, r)); err != nil {
				return err
			}
		}
		if err := p.copy(ctx, fmt.Sprintf("%s/%d.m4s", r, n-1)); err != nil {
			return err
		}
		if err := p.put(ctx, r+"/media.m3u8", p.playlist(r, n, last)); err != nil {
			return err
		}
	}
	if n == 1 {
		return p.copy(ctx, "master.m3u8")
	}
	return nil
}

func initOf(tree fs.FS, rendition string) string {
	names, _ := fs.Glob(tree, rendition+"/init*.mp4")
	return strings.Join(names, "")
}

func (p *publisher) playlist(rendition string, n int, last bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-INDEPENDENT-SEGMENTS\n")
	if p.kind != "" {
		fmt.Fprintf(&b, "#EXT-X-PLAYLIST-TYPE:%s\n", p.kind)
	}
	fmt.Fprintf(&b, "#EXT-X-MAP:URI=%q\n", path.Base(initOf(p.tree, rendition)))
	for i := range n {
		fmt.Fprintf(&b, "#EXTINF:2.000000,\n%d.m4s\n", i)
	}
	if last {
		fmt.Fprintln(&b, "#EXT-X-ENDLIST")
	}
	return b.Bytes()
}

func (p *publisher) copy(ctx context.Context, name string) error {
	body, err := fs.ReadFile(p.tree, name)
	if err != nil {
		return err
	}
	return p.put(ctx, name, body)
}

func (p *publisher) put(ctx context.Context, name string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, p.base+"/"+name, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(origin.EpochHeader, "1")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("put %s: %s", name, answer.Status)
	}
	return nil
}

// publishTo starts a publisher that the test waits for.
func publishTo(t *testing.T, f *farm, job, kind string, seconds int, pace time.Duration) {
	t.Helper()
	dir := t.TempDir()
	makeLadder(t, dir, seconds)
	p := &publisher{base: f.URL + origin.Prefix + job, tree: os.DirFS(dir), kind: kind, pace: pace}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
}
