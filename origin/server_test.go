package origin

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestServerRunsUntilItsContextEnds(t *testing.T) {
	o, err := New(Config{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan error, 1)
	go func() { done <- (&Server{Listener: ln, Origin: o}).Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	for _, path := range []string{"/healthz", "/readyz", "/origin/"} {
		res, err := client.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServerSaysWhyItCannotServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := (&Server{Listener: ln}).Run(t.Context()); err == nil {
		t.Error("a closed listener was served")
	}
}
