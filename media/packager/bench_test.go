package packager_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/packager"
)

// BenchmarkPackager packages a live 1080p25 rendition at 6 Mbit/s with the
// default window; bytes are those of the frames.
func BenchmarkPackager(b *testing.B) {
	video, _ := clip(b)
	const gop, size = 50, 30_000
	spec := vodSpec(grid(b, "25", 2*time.Second, 1), "mem", videoRendition("v", video))
	spec.Live, spec.Window = true, 15*time.Minute
	p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{newMemory()}, Log: quiet(), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Abort()
	if err := p.Init("v", video.Config); err != nil {
		b.Fatal(err)
	}
	frame := func(head byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size+1), append([]byte{head}, bytes.Repeat([]byte{0x55}, size)...)...)
	}
	idr, other := frame(0x65), frame(0x41)
	b.SetBytes(gop * size)
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		for f := n * gop; f < (n+1)*gop; f++ {
			pkt := media.Packet{Data: other, Index: f}
			if f%gop == 0 {
				pkt.Data, pkt.Key = idr, true
			}
			if err := p.Write(b.Context(), "v", pkt); err != nil {
				b.Fatal(err)
			}
		}
	}
}
