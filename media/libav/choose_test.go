package libav

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
)

// Of two programmes and two sounds, the address says which.
func TestPIDChoice(t *testing.T) {
	port := freePort(t)
	file := filepath.Join(mediaDir(t), waveFile)
	sender(t, "-stream_loop", "-1", "-i", file, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "0:v", "-c", "copy",
		"-program", "program_num=1:st=0:st=1", "-program", "program_num=2:st=2:st=3", "-f", "mpegts", "udp://127.0.0.1:"+port+"?pkt_size=1316")
	at := "udp://127.0.0.1:" + port
	for query, want := range map[string][]int{
		"?video=0x103&audio=0x101,258": {0x101, 0x102, 0x103},
		"?program=2&audio=0x102":       {0x102, 0x103},
	} {
		t.Run("taken"+query, func(t *testing.T) {
			r := hold(t, at+query)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			it, err := r.Read(ring.Oldest).Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, s := range it.Session.Streams {
				got = append(got, s.ID)
			}
			slices.Sort(got) // a programme lists them in its own order
			if !slices.Equal(got, want) {
				t.Errorf("PIDs %#x, want %#x", got, want)
			}
		})
	}
	err := Ingest(t.Context(), IngestOptions{Input: at + "?program=7&video=0x101&audio=0x9", Rules: anything, Ring: ring.New(ring.Limits{}), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	wantError(t, err, media.SourceError, "has no programme 7, no video PID 0x101, no audio PID 0x9; it has programme 1 of 0x100 video h264, 0x101 audio aac; programme 2 of 0x10")
}
