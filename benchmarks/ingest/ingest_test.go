package ingest

import (
	"testing"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// A hole in the pictures' times is pictures that were lost; other streams, and a
// shift of less than half a frame, are none.
func TestHolesAreCounted(t *testing.T) {
	r := &reader{picture: picture{stream: -1}}
	video := &galav1.IngestStream{Kind: galav1.IngestStream_KIND_VIDEO, Timebase: &galav1.Rational{Num: 1, Den: 90000},
		Params: map[string]int64{"avg_frame_rate_num": 25, "avg_frame_rate_den": 1}}
	r.take(&galav1.ReadResponse{Item: &galav1.ReadResponse_Session{Session: &galav1.IngestSession{Streams: []*galav1.IngestStream{{}, video}}}})
	for _, dts := range []int64{7200, 10800, 14400, 18500, 29300} {
		r.take(&galav1.ReadResponse{Item: &galav1.ReadResponse_Packet{Packet: &galav1.IngestPacket{Stream: 1, Dts: &dts, Data: []byte("x"), Lost: 1}}})
		r.take(&galav1.ReadResponse{Item: &galav1.ReadResponse_Packet{Packet: &galav1.IngestPacket{Stream: 0, Data: []byte("y")}}})
	}
	if want := (counts{bytes: 10, pictures: 5, lost: 2, overtaken: 5}); r.counts() != want {
		t.Errorf("%+v, want %+v", r.counts(), want)
	}
}
