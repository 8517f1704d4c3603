package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/steering"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// tookFrom are the folders of the segments that a page has asked for, in order.
func tookFrom(p *browser.Page) (folders []string) {
	for _, address := range p.Requests() {
		name, _, _ := strings.Cut(address, "?")
		if _, rest, ok := strings.Cut(name, "/origin/gala/"); ok && strings.HasSuffix(name, ".m4s") {
			folder, _, _ := strings.Cut(rest, "/")
			folders = append(folders, folder)
		}
	}
	return folders
}

// replicated puts a job with two replicas on air and waits until both have a window.
func replicated(t *testing.T, flags ...string) (*farm.Farm, *client.Client, map[string]*farm.Host) {
	t.Helper()
	f, c, h := spreadOut(t, "a1", "b1")
	f.Must(append([]string{"live", "submit", "--id", "gala", "--input", "testcard:?size=426x240", "--ladder", "mini", "--redundancy", "2", "--wait"}, flags...)...)
	farm.Until(t, 90*time.Second, "both replicas have a window", func() bool {
		all := f.Job(c, "gala").GetReplicas()
		return len(all) == 2 && !slices.ContainsFunc(all, func(r *galav1.ReplicaView) bool {
			return len(r.GetRenditions()) == 0 || slices.ContainsFunc(r.GetRenditions(), func(s *galav1.RenditionStatus) bool { return s.GetSegments() < 7 })
		})
	})
	return f, c, h
}

// settles waits until the last segments that a page took are of one replica.
func settles(t *testing.T, p *browser.Page, what, folder string) {
	t.Helper()
	const enough = 6 // of pictures and of sound
	farm.Until(t, 60*time.Second, what+" takes "+folder+" and nothing else", func() bool {
		got := tookFrom(p)
		return len(got) > enough && !slices.ContainsFunc(got[len(got)-enough:], func(f string) bool { return f != folder })
	})
}

// A replica that stands still - its playlists are there and grow old, its segments are
// served - is left by hls.js because the steering manifest says so. What it holds is
// about as long as it takes to hear of it, so its buffer may run empty; nothing else
// happens.
func TestPlayersAreSteeredFromAReplicaThatStandsStill(t *testing.T) {
	f, c, h := replicated(t)
	current := func() int {
		m, err := steering.Parse([]byte(read(t, filepath.Join(f.Data, "origin", "gala", steering.Name))))
		if err != nil {
			t.Fatal(err)
		}
		return m.Current
	}
	farm.Until(t, 30*time.Second, "both replicas are current", func() bool { return current() == 2 })
	verify(t, f, "gala")
	p := watchJob(t, f, "gala")
	s := see(t, p, "hls.js playing", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	see(t, p, "hls.js eight seconds later", func(now browser.State) bool { return now.CurrentTime >= s.CurrentTime+8 })
	all := tookFrom(p)
	taken := all[len(all)-1] // the share follows from the address
	settles(t, p, "hls.js", taken)
	host := h[f.Job(c, "gala").GetReplicas()[int(taken[1]-'1')].GetPlacement().GetAgent()]
	t.Logf("hls.js takes %s, which %s makes", taken, host.Name)
	host.Freeze()
	t.Cleanup(host.Thaw)
	farm.Until(t, 60*time.Second, "the other is the only one that is current", func() bool { return current() == 1 })
	settles(t, p, "hls.js", map[string]string{"r1": "r2", "r2": "r1"}[taken])
	s, err := p.State()
	if err != nil {
		t.Fatal(err)
	}
	s = see(t, p, "hls.js goes on", func(now browser.State) bool { return now.CurrentTime >= s.CurrentTime+6 })
	for _, e := range s.Errors {
		if e.Details != "bufferStalledError" || e.Fatal {
			t.Errorf("%+v", e)
		}
	}
	t.Logf("%d stalls", s.Stalls)
}

// Players of DASH take the replica that they are given - each viewer always the same,
// viewers of two shares different ones - and not the one that the manifest names first,
// without an error.
func TestDashPlayersAreSteered(t *testing.T) {
	f, _, _ := replicated(t)
	viewers := map[string]string{} // one of each replica
	for i := 1; len(viewers) < 2 && i < 50; i++ {
		viewer := fmt.Sprintf("192.0.2.%d", i)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.Origin("gala/"+steering.Name), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", viewer)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // it was read
		if err != nil {
			t.Fatal(err)
		}
		m, err := steering.Parse(body)
		if err != nil || m.Current != 2 {
			t.Fatalf("%v: %s", err, body)
		}
		viewers[m.Pathways[0]] = viewer
	}
	for replica, viewer := range viewers {
		players := browser.ServePlayersTo(t, f.Page, viewer)
		for _, player := range browser.Foreign {
			p := watchPage(t, strings.Replace(players.Page(player, "gala"), dash.Name, dash.SteeredName, 1), player)
			see(t, p, player+" playing", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
			settles(t, p, player, replica)
			farm.Until(t, 30*time.Second, player+" asks again, and says what it takes", func() bool {
				return slices.ContainsFunc(p.Requests(), func(address string) bool {
					return strings.Contains(address, steering.Name) && strings.Contains(address, "_DASH_pathway") && strings.Contains(address, replica)
				})
			})
			s, err := p.State()
			if err != nil {
				t.Fatal(err)
			}
			see(t, p, player+" goes on", func(now browser.State) bool { return now.CurrentTime >= s.CurrentTime+3 })
			if len(s.Errors) > 0 {
				t.Errorf("%s: %+v", player, s.Errors)
			}
			p.Close()
		}
	}
}

// An operator moves viewers from one replica to the other by a steering server of
// their own: hls.js changes without an error and without a stall.
func TestPlayersAreSteeredByAnotherServer(t *testing.T) {
	var first atomic.Value
	first.Store("r1")
	asked := make(chan string, 1<<10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := first.Load().(string)
		m := steering.Manifest{TTL: 2, Pathways: []string{one, map[string]string{"r1": "r2", "r2": "r1"}[one]}}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(m.Encode()) // a player that has gone
		asked <- r.URL.Query().Get("_HLS_pathway")
	}))
	t.Cleanup(server.Close)
	f, _, _ := replicated(t, "--steering", server.URL+"/steer")
	verify(t, f, "gala")
	p := watchJob(t, f, "gala")
	see(t, p, "hls.js playing", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	for _, replica := range []string{"r1", "r2", "r1"} {
		first.Store(replica)
		settles(t, p, "hls.js", replica)
		for said := ""; said != replica; { // it tells the server what it takes
			select {
			case said = <-asked:
			case <-time.After(20 * time.Second):
				t.Fatalf("the player does not say that it takes %s", replica)
			}
		}
	}
	s, err := p.State()
	if err != nil {
		t.Fatal(err)
	}
	see(t, p, "hls.js goes on", func(now browser.State) bool { return now.Status == "playing" && now.CurrentTime >= s.CurrentTime+4 })
	smooth(t, s)
}
