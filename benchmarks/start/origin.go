package start

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// player reads what a player would, until something can be played.
type player struct {
	http *http.Client
	tree string // http://HOST/origin/ID
}

// look is how often the player looks; half of it is added to every time, on
// the average.
const look = 10 * time.Millisecond

// segments waits until every media playlist of the tree leads to a segment. It
// returns when the first did, and when the last did.
func (p *player) segments(ctx context.Context) (first, all time.Time, err error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var waiting []string
	found := false
	for {
		if !found {
			waiting, found, err = p.variants(ctx)
		}
		if err == nil && found {
			waiting, err = p.ready(ctx, waiting, &first)
		}
		if err != nil || found && len(waiting) == 0 {
			return first, time.Now(), err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return first, time.Time{}, fmt.Errorf("no segment at %s: %w", p.tree, context.Cause(ctx))
		}
	}
}

// ready reads the first segment of each playlist that has one, notes when the
// first could be read, and returns the others.
func (p *player) ready(ctx context.Context, playlists []string, first *time.Time) (others []string, err error) {
	for _, name := range playlists {
		switch ok, err := p.playable(ctx, name); {
		case err != nil:
			return nil, err
		case !ok:
			others = append(others, name)
		case first.IsZero():
			*first = time.Now()
		}
	}
	return others, nil
}

// variants are the media playlists that the multivariant one names, the
// I-frame ones left out.
func (p *player) variants(ctx context.Context) ([]string, bool, error) {
	text, ok, err := p.get(ctx, "master.m3u8")
	if !ok || err != nil {
		return nil, false, err
	}
	var names []string
	for line := range lines(text) {
		if _, uri, audio := strings.Cut(line, `URI="`); audio && strings.HasPrefix(line, "#EXT-X-MEDIA:") {
			uri, _, _ = strings.Cut(uri, `"`)
			names = append(names, uri)
		} else if line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	return unique(names), len(names) > 0, nil
}

func unique(names []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, n := range names {
		if !seen[n] {
			out = append(out, n)
		}
		seen[n] = true
	}
	return out
}

// playable reads the first segment that a media playlist lists.
func (p *player) playable(ctx context.Context, playlist string) (bool, error) {
	text, ok, err := p.get(ctx, playlist)
	if !ok || err != nil {
		return false, err
	}
	for line := range lines(text) {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		body, ok, err := p.get(ctx, path.Join(path.Dir(playlist), line))
		if err == nil && ok && len(body) == 0 {
			err = errors.New("an empty segment was served")
		}
		return ok, err
	}
	return false, nil
}

// get is the body of an object, false while there is none.
func (p *player) get(ctx context.Context, name string) (string, bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.tree+"/"+name, nil)
	if err != nil {
		return "", false, err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", false, fmt.Errorf("read %s: %w", name, err)
	case resp.StatusCode == http.StatusNotFound:
		return "", false, nil
	case resp.StatusCode != http.StatusOK:
		return "", false, fmt.Errorf("read %s: %s", name, resp.Status)
	}
	return string(body), true, nil
}

func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
			if !yield(s.Text()) {
				return
			}
		}
	}
}
