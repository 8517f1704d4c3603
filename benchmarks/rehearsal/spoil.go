package rehearsal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/galafarm/gala/origin"
)

// trouble is how a server misbehaves.
type trouble string

const (
	well   trouble = ""
	slow   trouble = "slow"
	unwell trouble = "answering 503"
	full   trouble = "answering 507"
	drop   trouble = "dropping connections"
	freeze trouble = "frozen"
)

// slower is what a slow server adds to a request.
const slower = time.Second

// spoiled is a server in front of another that misbehaves when told to.
type spoiled struct {
	what string // for people
	next http.Handler
	url  string

	mu    sync.Mutex
	now   trouble
	ended chan struct{} // of this trouble
	conns map[net.Conn]struct{}
}

func newSpoiled(what string, next http.Handler) *spoiled {
	return &spoiled{what: what, next: next, ended: make(chan struct{}), conns: map[net.Conn]struct{}{}}
}

// serve at an address until ctx ends.
func (s *spoiled) serve(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the job's %s: %w", s.what, err)
	}
	s.url = "http://" + l.Addr().String()
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnState: s.connection}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }() // ends with Close
	return nil
}

func (s *spoiled) connection(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.conns, c)
	} else {
		s.conns[c] = struct{}{}
	}
}

// spoil until healed.
func (s *spoiled) spoil(t trouble) (heal func() error, said string, err error) {
	if s == nil {
		return nil, "", errors.New("this fault needs a job of the rehearsal's own")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = t
	if t == drop {
		for c := range s.conns {
			_ = c.Close()
		}
	}
	return s.heal, fmt.Sprintf("the %s is %s", s.what, t), nil
}

func (s *spoiled) heal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = well
	close(s.ended)
	s.ended = make(chan struct{})
	return nil
}

func (s *spoiled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	now, ended := s.now, s.ended
	s.mu.Unlock()
	switch now {
	case slow:
		wait(r.Context(), ended, slower)
	case unwell:
		http.Error(w, "rehearsal: 503", http.StatusServiceUnavailable)
		return
	case full:
		http.Error(w, "rehearsal: the disk is full", http.StatusInsufficientStorage)
		return
	case drop:
		panic(http.ErrAbortHandler) // the connection is closed without an answer
	case freeze:
		wait(r.Context(), ended, time.Hour)
	}
	s.next.ServeHTTP(w, r)
}

// wait until the trouble is over, and for so long at most.
func wait(ctx context.Context, ended <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-ended:
	case <-timer.C:
	}
}

// ownOrigin is an origin for one job, with a door for writers that can be
// spoiled and one for us that cannot.
type ownOrigin struct {
	*spoiled
	objects *origin.Origin
	reading *spoiled
	token   string
}

// destination is what the job writes to.
func (o *ownOrigin) destination() string {
	return strings.Replace(o.url, "http://", "http://gala:"+o.token+"@", 1) + "/origin"
}

func startOrigin(ctx context.Context, dir, host string) (*ownOrigin, error) {
	token := rand.Text()
	objects, err := origin.New(origin.Config{Root: dir, Token: token, NoSync: true})
	if err != nil {
		return nil, err
	}
	o := &ownOrigin{newSpoiled("origin", objects), objects, newSpoiled("origin", objects), token}
	if err := errors.Join(o.serve(ctx, net.JoinHostPort(host, "0")), o.reading.serve(ctx, net.JoinHostPort(host, "0"))); err != nil {
		return nil, errors.Join(err, objects.Close())
	}
	return o, nil
}

func (o *ownOrigin) spoil(t trouble) (func() error, string, error) {
	if o == nil {
		return (*spoiled)(nil).spoil(t)
	}
	return o.spoiled.spoil(t)
}

// startRelay stands between a source on the web and the farm.
func startRelay(ctx context.Context, source, host string) (relay *spoiled, at string, err error) {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, "", fmt.Errorf("source %s: faults of the source want one on the web: http(s)://HOST/LIST.m3u8 or .mpd", source)
	}
	proxy := &httputil.ReverseProxy{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: u.Scheme, Host: u.Host}) }}
	relay = newSpoiled("source", proxy)
	if err := relay.serve(ctx, net.JoinHostPort(host, "0")); err != nil {
		return nil, "", err
	}
	return relay, relay.url + u.RequestURI(), nil
}
