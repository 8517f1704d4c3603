package publish_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
	"github.com/galafarm/gala/media/publish"
)

// store is an origin of somebody else's: it knows no epochs. What it offers
// beside PUT and GET is said by its fields.
type store struct {
	conditions bool // If-Match and If-None-Match hold a PUT
	refuses    bool // 501 to a condition
	folders    int  // what a PUT below a folder that is not there is answered, 0: it is made
	writeOnly  bool
	unread     int // what every GET is answered, 0: as it is
	// meanwhile is called once, between the question and the write.
	meanwhile func()

	mu      sync.Mutex
	objects map[string][]byte
	made    map[string]bool
	asked   []string
}

func (s *store) serve(t testing.TB) *url.URL {
	s.objects, s.made = map[string][]byte{}, map[string]bool{"/": true, "/up": true}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func tag(b []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(b)) }

// generation is what Google has for a tag; 0 is that of nothing.
func generation(b []byte, there bool) string {
	if !there {
		return "0"
	}
	return fmt.Sprint(crc32.ChecksumIEEE(b) + 1)
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	old, there := s.objects[r.URL.Path]
	switch r.Method {
	case "MKCOL":
		switch dir := strings.TrimSuffix(r.URL.Path, "/"); {
		case s.made[dir]:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case !s.made[path.Dir(dir)]:
			w.WriteHeader(http.StatusConflict)
		default:
			s.made[dir] = true
			w.WriteHeader(http.StatusCreated)
		}
	case http.MethodGet:
		switch {
		case s.unread > 0:
			w.WriteHeader(s.unread)
		case s.writeOnly:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case !there:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", tag(old))
			w.Header().Set("X-Goog-Generation", generation(old, true))
			_, _ = w.Write(old)
			if s.meanwhile != nil && strings.HasSuffix(r.URL.Path, ".m3u8") {
				s.meanwhile()
				s.meanwhile = nil
			}
		}
	case http.MethodPut:
		s.put(w, r, old, there, body)
	case http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *store) put(w http.ResponseWriter, r *http.Request, old []byte, there bool, body []byte) {
	match, none, google := r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), r.Header.Get("X-Goog-If-Generation-Match")
	azure := r.Header.Get("X-Ms-Version") != ""
	switch {
	case azure && r.Header.Get("X-Ms-Blob-Type") != "BlockBlob", r.Header.Get("Authorization") != "" && match+none != "": // Google's are for reading
		w.WriteHeader(http.StatusBadRequest)
		return
	case s.conditions && google != "" && google != generation(old, there):
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	case s.conditions && azure && none == "*" && there: // BlobAlreadyExists
		w.WriteHeader(http.StatusConflict)
		return
	case s.conditions && azure && match != "" && !there: // ConditionNotMet
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	case s.folders > 0 && !s.made[path.Dir(r.URL.Path)]:
		w.WriteHeader(s.folders)
		return
	case s.refuses && match+none+google != "":
		w.WriteHeader(http.StatusNotImplemented)
		return
	case s.conditions && match != "" && !there:
		w.WriteHeader(http.StatusNotFound)
		return
	case s.conditions && (match != "" && match != tag(old) || none == "*" && there):
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	s.objects[r.URL.Path] = body
	w.Header().Set("ETag", tag(body))
	w.Header().Set("X-Goog-Generation", generation(body, true))
	w.WriteHeader(http.StatusCreated)
}

func (s *store) text(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.objects[path])
}

func (s *store) set(path, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = []byte(text)
}

func (s *store) count(asked string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a == asked {
			n++
		}
	}
	return n
}

// noSigner has everything in one folder of one server, and leaves requests as they
// are but for what tells Google's and Azure's.
type noSigner struct{ server *url.URL }

func (noSigner) SignBody(*http.Request, string, string) error { return nil }
func (noSigner) Region(context.Context) string                { return "" }

func (s noSigner) Place(u *url.URL) (*url.URL, error) {
	return blob.URL(s.server.JoinPath("/"), "up", u.Path), nil
}

func (noSigner) Authorize(req *http.Request, u *url.URL) error {
	if u.Scheme == blob.Azure {
		req.Header.Set("X-Ms-Version", "2021-12-02")
	} else {
		req.Header.Set("Authorization", "Bearer ticket")
	}
	return nil
}

// buckets are the guards that write on condition by themselves.
var buckets = []string{"bucket", "gs", "azblob"}

// guards are the sinks at places that do not fence, each at the path that its
// objects have there.
func guards(t *testing.T, s *store) map[string]media.Guarded { return guardsWith(t, s, impatient()) }

func guardsWith(t *testing.T, s *store, p publish.Patience) map[string]media.Guarded {
	u := s.serve(t)
	b, err := url.Parse("s3://up/job?endpoint=" + url.QueryEscape(u.String()))
	must(t, err)
	bucket, err := publish.OpenBucket(t.Context(), b, p, noSigner{})
	must(t, err)
	google, err := publish.OpenBlob(&url.URL{Scheme: "gs", Host: "clips", Path: "/job"}, p, noSigner{u})
	must(t, err)
	azure, err := publish.OpenBlob(&url.URL{Scheme: "azblob", Host: "clips", Path: "/job"}, p, noSigner{u})
	must(t, err)
	web := publish.NewHTTP(u.JoinPath("up/job"), 3, p)
	t.Cleanup(func() {
		_ = web.Close()
		_ = bucket.Close()
		_ = google.Close()
		_ = azure.Close()
	})
	return map[string]media.Guarded{"http": web, "bucket": bucket, "gs": google, "azblob": azure}
}

const list = "v/media.m3u8"

var errHigher = errors.New("a higher epoch")

// mine objects to whatever says "theirs".
func mine(old []byte) error {
	if strings.HasPrefix(string(old), "theirs") {
		return errHigher
	}
	return nil
}

func TestReplaceLooksFirst(t *testing.T) {
	for _, name := range append(buckets, "http") {
		t.Run(name, func(t *testing.T) {
			s := &store{}
			sink := guards(t, s)[name]
			for n := range 3 {
				must(t, sink.Replace(t.Context(), list, fmt.Appendf(nil, "mine %d", n), mine))
			}
			if got := s.text("/up/job/" + list); got != "mine 2" {
				t.Fatalf("%q is there", got)
			}
			s.set("/up/job/"+list, "theirs "+strings.Repeat("x", 10_000))
			err := sink.Replace(t.Context(), list, []byte("mine 3"), mine)
			if name != "http" { // it writes on a condition that this store does not know
				return
			}
			if !errors.Is(err, errHigher) || !strings.HasPrefix(s.text("/up/job/"+list), "theirs") {
				t.Errorf("%v, and %.20q is there", err, s.text("/up/job/"+list))
			}
		})
	}
}

// Where a place offers conditions, nobody gets in between the look and the
// write.
func TestReplaceOnCondition(t *testing.T) {
	for _, name := range append(buckets, "http") {
		t.Run(name, func(t *testing.T) {
			s := &store{conditions: true}
			sink := guards(t, s)[name]
			must(t, sink.Replace(t.Context(), list, []byte("mine 1"), mine))
			s.set("/up/job/"+list, "mine, by another process")
			s.meanwhile = func() { s.objects["/up/job/"+list] = []byte("theirs") }
			if err := sink.Replace(t.Context(), list, []byte("mine 2"), mine); !errors.Is(err, errHigher) {
				t.Errorf("%v, want the objection", err)
			}
			if got := s.text("/up/job/" + list); got != "theirs" {
				t.Errorf("%q is there", got)
			}
		})
	}
}

// A bucket is asked nothing while nobody else writes: one request for a
// playlist.
func TestBucketRemembersWhatItWrote(t *testing.T) {
	for _, name := range buckets {
		s := &store{conditions: true}
		sink := guards(t, s)[name]
		for n := range 10 {
			must(t, sink.Replace(t.Context(), list, fmt.Appendf(nil, "mine %d", n), mine))
		}
		if gets, puts := s.count("GET /up/job/"+list), s.count("PUT /up/job/"+list); gets != 1 || puts != 10 {
			t.Errorf("%s: %d reads, %d writes", name, gets, puts)
		}
		must(t, sink.(media.Sink).Delete(t.Context(), list)) // by somebody's clean-up
		must(t, sink.Replace(t.Context(), list, []byte("mine 11"), mine))
	}
}

// Of two segments of one name the first stays, and a playlist of somebody else's is
// never written over in the belief that there is none.
func TestBucketKeepsTheFirst(t *testing.T) {
	for _, name := range buckets {
		s := &store{conditions: true}
		sink := guards(t, s)[name].(media.Sink)
		must(t, sink.Put(t.Context(), "v/1.m4s", []byte("first")))
		must(t, sink.Put(t.Context(), "v/1.m4s", []byte("first")))
		if err := sink.Put(t.Context(), "v/1.m4s", []byte("second")); !errors.Is(err, publish.ErrKept) {
			t.Errorf("%s: %v, want ErrKept", name, err)
		}
		if got := s.text("/up/job/v/1.m4s"); got != "first" {
			t.Errorf("%s: %q is there", name, got)
		}
	}
}

// A bucket that leads elsewhere is not followed.
func TestBlobsAreNotRedirected(t *testing.T) {
	s := &store{}
	elsewhere := s.serve(t)
	srv := httptest.NewServer(http.RedirectHandler(elsewhere.JoinPath("up/x").String()+"?sig=secret", http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	must(t, err)
	for _, scheme := range []string{"gs", "azblob"} {
		sink, err := publish.OpenBlob(&url.URL{Scheme: scheme, Host: "clips"}, impatient(), noSigner{u})
		must(t, err)
		err = sink.Put(t.Context(), "v/1.m4s", []byte("x"))
		if err == nil || !strings.Contains(err.Error(), "307") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", scheme, err)
		}
		must(t, sink.Close())
	}
	if len(s.asked) != 0 {
		t.Errorf("asked %v", s.asked)
	}
}

// passing is a signer whose server is in trouble for a while.
type passing struct {
	noSigner
	left *int
}

func (p passing) Authorize(*http.Request, *url.URL) error {
	if *p.left--; *p.left >= 0 {
		return trouble{}
	}
	return nil
}

type trouble struct{}

func (trouble) Error() string   { return "no token yet" }
func (trouble) Temporary() bool { return true }

// A token that cannot be had for a moment loses no segment; credentials that are
// not there are told at once.
func TestBlobsWaitForTheirToken(t *testing.T) {
	s, left := &store{}, 2
	u := s.serve(t)
	sink, err := publish.OpenBlob(&url.URL{Scheme: "gs", Host: "clips", Path: "/job"}, impatient(), passing{noSigner{u}, &left})
	must(t, err)
	defer sink.Close()
	must(t, sink.Put(t.Context(), "v/1.m4s", []byte("x")))
	if left != -1 || s.text("/up/job/v/1.m4s") != "x" {
		t.Errorf("%d tries left, %q is there", left, s.text("/up/job/v/1.m4s"))
	}
}

func TestWhatIsNoFolderOfBlobs(t *testing.T) {
	for dest, words := range map[string]string{
		"gs://clips/x?anonymous=true":               "without credentials",
		"gs:///x":                                   "names no bucket",
		"azblob://clips/x?sv=2021&sig=secret":       "has no option",
		"azblob://clips/x?domain=evil.test":         "has no option",
		"azblob://clips/x?storage_account=evil.tes": "no storage account",
	} {
		_, err := publish.Opener{Signer: noSigner{&url.URL{}}}.Open(t.Context(), dest)
		var told *media.Error
		if !errors.As(err, &told) || told.Code != media.SinkError || told.Advice == "" || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", dest, err, words)
		}
		if _, err := publish.Open(dest, 1); err == nil {
			t.Errorf("%s is opened without credentials", dest)
		}
	}
	if _, err := publish.Open("gs://clips/x", 1); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("without a signer: %v", err)
	}
}

func TestPlacesThatOfferLess(t *testing.T) {
	for what, s := range map[string]*store{"no conditions": {refuses: true}, "no reading": {writeOnly: true}} {
		for _, name := range append(buckets, "http") {
			sink := guards(t, s)[name]
			for n := range 3 {
				if err := sink.Replace(t.Context(), list, fmt.Appendf(nil, "mine %d", n), mine); err != nil && (what != "no conditions" || name != "http") {
					t.Errorf("%s, %s: %v", what, name, err)
				}
			}
			if name != "http" {
				must(t, sink.(media.Sink).Put(t.Context(), "v/1.m4s", []byte("x")))
			}
		}
	}
}

// A place that cannot be read at the moment is not one that nobody may read: nothing
// is written there unseen.
func TestReadingThatMayPass(t *testing.T) {
	hasty := impatient()
	hasty.Total = 50 * time.Millisecond
	for code, passes := range map[int]bool{408: true, 409: true, 412: true, 425: true, 429: true, 503: true, 400: false, 401: false, 403: false, 405: false, 501: false} {
		for _, name := range append(buckets, "http") {
			s := &store{conditions: true, unread: code}
			sink := guardsWith(t, s, hasty)[name]
			s.set("/up/job/"+list, "theirs")
			err := sink.Replace(t.Context(), list, []byte("mine"), mine)
			if written := s.text("/up/job/"+list) == "mine"; written == passes || (err != nil) != passes {
				t.Errorf("%s, %d: written: %v, %v", name, code, written, err)
			}
		}
	}
}

// Our own origin says that it fences, and is not asked.
func TestOwnOriginIsNotAsked(t *testing.T) {
	base := farm(t)
	sink := httpSink(t, base, 5)
	must(t, sink.Put(t.Context(), "v/1.m4s", []byte("x")))
	err := sink.Replace(t.Context(), list, []byte("mine"), func([]byte) error { return errHigher })
	must(t, err)
	must(t, sink.Replace(t.Context(), list, []byte("mine"), func([]byte) error { return errHigher }))
	must(t, httpSink(t, base, 6).Replace(t.Context(), list, []byte("theirs"), mine))
	if err := sink.Replace(t.Context(), list, []byte("mine"), mine); !errors.Is(err, media.ErrSuperseded) {
		t.Errorf("%v, want ErrSuperseded", err)
	}
}

// A server that speaks WebDAV makes no folder by itself; each is asked for once.
func TestFoldersAreMade(t *testing.T) {
	for _, answer := range []int{http.StatusConflict, http.StatusNotFound, http.StatusInternalServerError} {
		s := &store{folders: answer}
		sink := guards(t, s)["http"].(*publish.HTTP)
		for n := range 3 {
			must(t, sink.Put(t.Context(), fmt.Sprintf("v/%d.m4s", n), []byte("x")))
			must(t, sink.Put(t.Context(), fmt.Sprintf("a/%d.m4s", n), []byte("x")))
		}
		must(t, sink.Put(t.Context(), "master.m3u8", []byte("x")))
		if s.text("/up/job/v/2.m4s") != "x" || s.text("/up/job/master.m3u8") != "x" {
			t.Errorf("%v", s.asked)
		}
		if n := s.count("MKCOL /up/job/v/"); n != 2 { // in vain, and after the folder above it
			t.Errorf("the folder was asked for %d times", n)
		}
	}
	s := &store{} // one that does not want any
	sink := guards(t, s)["http"].(*publish.HTTP)
	must(t, sink.Put(t.Context(), "v/1.m4s", []byte("x")))
	if len(s.asked) != 1 {
		t.Errorf("asked %v", s.asked)
	}
}
