package origin

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLowerEpochIsFenced(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/1.m4s", segment, 4), http.StatusCreated)
	for _, epoch := range []string{"3", "0", ""} {
		got := s.want(s.do("PUT", "/origin/a/v/2.m4s", "x", EpochHeader, epoch), http.StatusConflict)
		if got.header.Get(EpochHeader) != "4" || !strings.Contains(got.body, "fenced") {
			t.Errorf("epoch %q: header %q, body %q", epoch, got.header.Get(EpochHeader), got.body)
		}
	}
	s.want(s.put("/origin/a/v/2.m4s", "x", 4), http.StatusCreated)
	s.want(s.put("/origin/a/v/3.m4s", "x", 11), http.StatusCreated)
	s.want(s.put("/origin/a/v/4.m4s", "x", 4), http.StatusConflict)
}

// A job that is split over assignments has a lease, and so a count, for each.
func TestEpochsAreKeptPerFolder(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/1080p/1.m4s", segment, 9), http.StatusCreated)
	s.want(s.put("/origin/a/360p/1.m4s", segment, 2), http.StatusCreated)
	s.want(s.put("/origin/a/master.m3u8", livePlaylist, 5), http.StatusCreated)
	s.want(s.put("/origin/a/manifest.mpd", "<MPD/>", 4), http.StatusConflict)
	s.want(s.put("/origin/b/1080p/1.m4s", segment, 1), http.StatusCreated)
}

func TestTreeWithoutEpochsTakesPlainTools(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.do("PUT", "/origin/a/master.m3u8", livePlaylist), http.StatusCreated)
	s.want(s.do("PUT", "/origin/a/master.m3u8", endedPlaylist), http.StatusNoContent)
	s.want(s.put("/origin/a/master.m3u8", livePlaylist, 1), http.StatusNoContent)
	s.want(s.do("PUT", "/origin/a/master.m3u8", endedPlaylist), http.StatusConflict)
}

func TestFenceSurvivesARestart(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/media.m3u8", livePlaylist, 6), http.StatusCreated)
	tag := s.do("GET", "/origin/a/v/media.m3u8", "").header.Get("ETag")
	s.restart()
	s.want(s.put("/origin/a/v/media.m3u8", "x", 5), http.StatusConflict)
	s.want(s.do("PUT", "/origin/a/v/media.m3u8", endedPlaylist, EpochHeader, "6", "If-Match", tag), http.StatusNoContent)
}

// A writer that was overtaken while it sent must not publish what it has.
func TestWriterThatIsOvertakenInMidBodyIsFenced(t *testing.T) {
	for _, name := range []string{"media.m3u8", "1.m4s"} {
		s := newSite(t, Config{})
		body := newPausedBody("from the old ", "writer")
		req, err := http.NewRequest("PUT", s.URL+"/origin/a/v/"+name, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(EpochHeader, "1")
		late := make(chan answer, 1)
		go func() { late <- s.send(req) }()
		s.waitForEpoch("a", "v", 1)
		s.want(s.put("/origin/a/v/2.m4s", "from the new writer", 2), http.StatusCreated)
		close(body.going)
		got := s.want(<-late, http.StatusConflict)
		if got.header.Get(EpochHeader) != "2" {
			t.Errorf("the header says %q", got.header.Get(EpochHeader))
		}
		s.want(s.do("GET", "/origin/a/v/"+name, ""), http.StatusNotFound)
	}
}

// waitForEpoch waits until a request with this epoch was admitted: it is on
// disk by then.
func (s *site) waitForEpoch(job, folder string, epoch uint64) {
	s.t.Helper()
	for s.t.Context().Err() == nil {
		t := s.origin.tree(job)
		t.mu.Lock()
		seen := t.epochs[folder]
		t.mu.Unlock()
		if seen == epoch {
			return
		}
	}
}

// An epoch that cannot be kept must not be honoured: after a restart the
// fenced writer would be back.
func TestEpochThatCannotBeKeptIsRefused(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/1.m4s", segment, 1), http.StatusCreated)
	hiddenDir := filepath.Join(s.cfg.Root, "a", hidden)
	if err := os.Rename(hiddenDir, hiddenDir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hiddenDir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := s.put("/origin/a/v/2.m4s", segment, 2); got.code < 400 {
		t.Fatalf("answered %d", got.code)
	}
	s.want(s.put("/origin/a/v/2.m4s", segment, 1), http.StatusCreated)
}

func TestDamagedEpochFileStopsWritersNotReaders(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/1.m4s", segment, 1), http.StatusCreated)
	if err := os.WriteFile(filepath.Join(s.cfg.Root, epochsPath("a")), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.want(s.put("/origin/a/v/2.m4s", segment, 2), http.StatusInternalServerError)
	s.want(s.do("GET", "/origin/a/v/1.m4s", ""), http.StatusOK)
}
