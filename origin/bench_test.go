package origin

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Through the handler, without a network: what the origin itself costs.
func benchServe(b *testing.B, o *Origin, r *http.Request) {
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	if w.Code >= 300 {
		b.Fatalf("answered %d %s", w.Code, w.Body)
	}
}

func benchOrigin(b *testing.B, noSync bool) *Origin {
	o, err := New(Config{Root: b.TempDir(), NoSync: noSync})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { o.Close() })
	return o
}

func localRequest(method, path string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	r.Header.Set(EpochHeader, "1")
	return r
}

func BenchmarkPutSegment(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		b.Run(fmt.Sprintf("nosync=%t", noSync), func(b *testing.B) {
			o := benchOrigin(b, noSync)
			body := make([]byte, 750_000) // 2 s at 3 Mb/s
			b.SetBytes(int64(len(body)))
			n := 0
			for b.Loop() {
				n++
				benchServe(b, o, localRequest("PUT", fmt.Sprintf("/origin/a/v/%d.m4s", n), body))
			}
		})
	}
}

func BenchmarkPutPlaylist(b *testing.B) {
	o := benchOrigin(b, false)
	body := []byte("#EXTM3U\n" + strings.Repeat("#EXTINF:2.000000,\n892114213.m4s\n", 450))
	for b.Loop() {
		benchServe(b, o, localRequest("PUT", "/origin/a/v/media.m3u8", body))
	}
}

func BenchmarkGetPlaylist(b *testing.B) {
	o := benchOrigin(b, true)
	body := []byte("#EXTM3U\n" + strings.Repeat("#EXTINF:2.000000,\n892114213.m4s\n", 450))
	benchServe(b, o, localRequest("PUT", "/origin/a/v/media.m3u8", body))
	r := localRequest("GET", "/origin/a/v/media.m3u8", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		benchServe(b, o, r)
	}
}

func BenchmarkGetSegment(b *testing.B) {
	o := benchOrigin(b, true)
	body := make([]byte, 750_000)
	benchServe(b, o, localRequest("PUT", "/origin/a/v/1.m4s", body))
	server := httptest.NewServer(o)
	defer server.Close()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		res, err := http.Get(server.URL + "/origin/a/v/1.m4s")
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}
