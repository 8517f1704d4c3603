package origin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/steering"
)

// steer asks as a viewer does.
func (s *site) steer(path, viewer string) (steering.Manifest, http.Header) {
	s.t.Helper()
	var headers []string
	if viewer != "" {
		headers = []string{"X-Forwarded-For", viewer}
	}
	a := s.want(s.do(http.MethodGet, path, "", headers...), http.StatusOK)
	m, err := steering.Parse([]byte(a.body))
	if err != nil {
		s.t.Fatal(err)
	}
	return m, a.header
}

// Viewers of two replicas that are well are of two groups about as large, each
// viewer always of the same one; none begins with a replica that is not well.
func TestSteeringSpreadsViewers(t *testing.T) {
	s := newSite(t, Config{})
	put := func(current int) {
		m := steering.Manifest{TTL: 4, Pathways: []string{"r1", "r2"}, Current: current}
		s.put("/origin/gala/steering.json", string(m.Encode()), 0)
	}
	put(2)
	first := map[string]int{}
	for i := range 200 {
		viewer := fmt.Sprintf("192.0.2.%d, 10.0.0.1", i)
		m, h := s.steer("/origin/gala/steering.json", viewer)
		if h.Get("Cache-Control") != cacheNever {
			t.Fatalf("what is for one viewer may be kept: %q", h.Get("Cache-Control"))
		}
		again, h := s.steer("/origin/gala/"+m.Reload+"&_HLS_pathway=r1", "198.51.100.7")
		if again.Pathways[0] != m.Pathways[0] || again.Reload != m.Reload || m.TTL != 4 {
			t.Fatalf("%s: %+v and then %+v", viewer, m, again)
		}
		if h.Get("Cache-Control") != cacheLive {
			t.Fatalf("of a share: Cache-Control %q", h.Get("Cache-Control"))
		}
		first[m.Pathways[0]]++
	}
	if first["r1"] < 70 || first["r2"] < 70 {
		t.Errorf("200 viewers: %v", first)
	}
	put(1)
	for share := range steering.Shares {
		if m, _ := s.steer(fmt.Sprintf("/origin/gala/steering.json?share=%d", share), ""); strings.Join(m.Pathways, " ") != "r1 r2" {
			t.Errorf("share %d of one replica: %v", share, m.Pathways)
		}
	}
}

const redundant = `<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic">
  <BaseURL serviceLocation="r2">r2/</BaseURL>
  <BaseURL serviceLocation="r1">r1/</BaseURL>
  <Period id="p1"></Period>
</MPD>
`

// Players of DASH get absolute addresses, the viewer's or those that are configured,
// and whom to ask; the manifest itself stays as it is.
func TestSteeredManifest(t *testing.T) {
	for public, base := range map[string]string{"": "", "https://cdn.example/live": "https://cdn.example/live/gala/"} {
		s := newSite(t, Config{Public: public})
		kept := cacheLive
		if base == "" { // what a viewer says of this server is for that viewer
			base, kept = s.URL+"/origin/gala/", cacheNever
		}
		s.put("/origin/gala/manifest.mpd", redundant, 0)
		s.want(s.do(http.MethodGet, "/origin/gala/steered.mpd", ""), http.StatusNotFound) // nobody steers
		s.put("/origin/gala/steering.json", `{"VERSION":1,"TTL":4,"PATHWAY-PRIORITY":["r1","r2"]}`, 0)
		a := s.want(s.do(http.MethodGet, "/origin/gala/steered.mpd", ""), http.StatusOK)
		want := strings.ReplaceAll(redundant, `">r`, `">`+base+"r")
		want = strings.Replace(want, "r1/</BaseURL>", "r1/</BaseURL>\n  <ContentSteering defaultServiceLocation=\"r2\" queryBeforeStart=\"true\">"+base+"steering.json?absolute</ContentSteering>", 1)
		if a.body != want || a.header.Get("Content-Type") != "application/dash+xml" || a.header.Get("Cache-Control") != kept {
			t.Errorf("%v\n%s\nwant\n%s", a.header, a.body, want)
		}
		if a := s.do(http.MethodGet, "/origin/gala/manifest.mpd", ""); a.body != redundant {
			t.Errorf("the manifest itself has become\n%s", a.body)
		}
		m, h := s.steer("/origin/gala/steering.json?absolute&share=5", "")
		if got := h.Get("Cache-Control"); got != kept {
			t.Errorf("players are told where to ask again by an answer that is kept %q, want %q", got, kept)
		}
		if m.Reload != base+"steering.json?share=5&absolute" {
			t.Errorf("players ask again at %s", m.Reload)
		}
		s.put("/origin/gala/manifest.mpd", strings.ReplaceAll(redundant, " serviceLocation", " other"), 0)
		s.want(s.do(http.MethodGet, "/origin/gala/steered.mpd", ""), http.StatusNotFound) // no replicas
	}
}

// An object of that name that is something else is served as it is.
func TestOtherSteeringIsLeftAlone(t *testing.T) {
	s := newSite(t, Config{})
	const text = `{"mine": true}`
	s.put("/origin/gala/steering.json", text, 0)
	if a := s.want(s.do(http.MethodGet, "/origin/gala/steering.json", ""), http.StatusOK); a.body != text {
		t.Errorf("served as %s", a.body)
	}
	s.want(s.do(http.MethodGet, "/origin/none/steering.json", ""), http.StatusNotFound)
}
