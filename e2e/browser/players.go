package browser

import (
	"embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

//go:embed players/player.html players/player.js
var playerPage embed.FS

// Foreign are the players that are not ours.
var Foreign = []string{"dash.js", "shaka"}

// Players serves pages with foreign players, and what they play through itself,
// so that it sees what they ask for in vain.
type Players struct {
	server *httptest.Server

	mu      sync.Mutex
	missing []string
}

// ServePlayers serves them in front of a farm until the test ends. The players
// come from npm (tools/setup/players.sh); a test without them fails.
func ServePlayers(t testing.TB, farm string) *Players {
	t.Helper()
	return ServePlayersTo(t, farm, "")
}

// ServePlayersTo serves them to a viewer, whose address the farm is told; "" for the
// one that the browser has.
func ServePlayersTo(t testing.TB, farm, viewer string) *Players {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	modules := filepath.Join(filepath.Dir(file), "players", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("the players are not installed: run tools/setup/players.sh (%v)", err)
	}
	behind, err := url.Parse(farm)
	if err != nil {
		t.Fatal(err)
	}
	p := &Players{}
	proxy := &httputil.ReverseProxy{ModifyResponse: p.note, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // addresses in manifests are this server's
		r.SetXForwarded()
		if viewer != "" {
			r.Out.Header.Set("X-Forwarded-For", viewer)
		}
	}}
	mux := http.NewServeMux()
	mux.Handle("/origin/", proxy)
	mux.Handle("/ui/", proxy) // the farm's own hls.js
	mux.Handle("/players/", http.FileServerFS(playerPage))
	mux.Handle("/players/node_modules/", http.StripPrefix("/players/node_modules/", http.FileServer(http.Dir(modules))))
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	return p
}

func (p *Players) note(res *http.Response) error {
	if res.StatusCode >= http.StatusBadRequest {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.missing = append(p.missing, fmt.Sprintf("%s %s", res.Status, path.Join(path.Base(path.Dir(res.Request.URL.Path)), path.Base(res.Request.URL.Path))))
	}
	return nil
}

// Missing are the requests for what was not there.
func (p *Players) Missing() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.missing)
}

// HLSPage is where hls.js plays the master playlist of a job that is encrypted
// for Clear Key, with keys from a license server.
func (p *Players) HLSPage(job, license string) string {
	q := url.Values{"player": {"hls.js"}, "url": {p.server.URL + "/origin/" + job + "/master.m3u8"}, "license": {license}}
	return p.server.URL + "/players/player.html?" + q.Encode()
}

// Page is where a player plays the manifest of a job.
func (p *Players) Page(player, job string) string {
	q := url.Values{"player": {player}, "url": {p.server.URL + "/origin/" + job + "/manifest.mpd"}}
	return p.server.URL + "/players/player.html?" + q.Encode()
}
