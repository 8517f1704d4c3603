package ingest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// source is one way for the clip to come in.
type source struct {
	name string
	// start sends the clip, for ever and in real time, and says where to read it.
	start func(ctx context.Context, o Options, dir string) (from string, stop func(), err error)
}

func sources() []source {
	return []source{
		{"SRT, listening", pushed(func(port string) (string, []string) {
			return "srt://127.0.0.1:" + port + "?mode=listener", []string{"-f", "mpegts", "srt://127.0.0.1:" + port}
		})},
		{"UDP", pushed(func(port string) (string, []string) {
			return "udp://127.0.0.1:" + port, []string{"-f", "mpegts", "udp://127.0.0.1:" + port + "?pkt_size=1316"}
		})},
		{"RTP", pushed(func(port string) (string, []string) {
			return "rtp://127.0.0.1:" + port, []string{"-f", "rtp_mpegts", "rtp://127.0.0.1:" + port}
		})},
		{"HLS pull, 2 s of TS", followed},
	}
}

func pushed(ends func(port string) (from string, to []string)) func(context.Context, Options, string) (string, func(), error) {
	return func(ctx context.Context, o Options, _ string) (string, func(), error) {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		port := strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
		_ = c.Close()
		from, to := ends(port)
		return from, send(ctx, o, "", to), nil
	}
}

// followed serves a live playlist of segments on disk.
func followed(ctx context.Context, o Options, dir string) (string, func(), error) {
	at := filepath.Join(dir, "served")
	if err := os.Mkdir(at, 0o755); err != nil {
		return "", nil, err
	}
	stop := send(ctx, o, at, []string{"-f", "hls", "-hls_time", "2", "-hls_list_size", "6", "-hls_flags", "delete_segments+program_date_time+temp_file", "live.m3u8"})
	server := httptest.NewServer(http.FileServer(http.Dir(at)))
	for range 60 { // three segments are there
		if _, err := os.Stat(filepath.Join(at, "live2.ts")); err == nil {
			return server.URL + "/live.m3u8", func() { stop(); server.Close() }, nil
		}
		if err := pause(ctx, time.Second/2); err != nil {
			break
		}
	}
	stop()
	server.Close()
	return "", nil, context.DeadlineExceeded
}

// send runs ffmpeg until stop, again where nobody listens yet.
func send(ctx context.Context, o Options, dir string, to []string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	args := append([]string{"-hide_banner", "-nostdin", "-loglevel", "quiet", "-re", "-stream_loop", "-1", "-i", o.Clip, "-c", "copy"}, to...)
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, o.Binaries.FFmpeg, args...)
			cmd.Dir = dir
			_ = cmd.Run()
			_ = pause(ctx, 200*time.Millisecond)
		}
	}()
	return func() { cancel(); <-ended }
}
