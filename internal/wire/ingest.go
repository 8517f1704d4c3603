package wire

import (
	"github.com/galafarm/gala/media/ring"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// IngestItemProto is what a ring's reader got, as a message.
func IngestItemProto(it ring.Item) *galav1.ReadResponse {
	if it.Session != nil {
		return &galav1.ReadResponse{Item: &galav1.ReadResponse_Session{Session: sessionProto(it.Session)}}
	}
	p := it.Packet
	return &galav1.ReadResponse{Item: &galav1.ReadResponse_Packet{Packet: &galav1.IngestPacket{
		Stream: int32(p.Stream), Pts: tickProto(p.PTS), Dts: tickProto(p.DTS), Duration: p.Duration,
		Key: p.Key, Corrupt: p.Corrupt, Data: p.Data, SideData: sideDataProto(p.SideData), ArrivalUs: p.Arrival, Lost: it.Lost,
	}}}
}

// IngestItem reads one.
func IngestItem(m *galav1.ReadResponse) ring.Item {
	if s := m.GetSession(); s != nil {
		return ring.Item{Session: session(s)}
	}
	p := m.GetPacket()
	return ring.Item{Lost: p.GetLost(), Packet: ring.Packet{
		Stream: int(p.GetStream()), PTS: tick(p.Pts), DTS: tick(p.Dts), Duration: p.GetDuration(),
		Key: p.GetKey(), Corrupt: p.GetCorrupt(), Data: p.GetData(), SideData: sideData(p.GetSideData()), Arrival: p.GetArrivalUs(),
	}}
}

func tickProto(t int64) *int64 {
	if t == ring.NoTime {
		return nil
	}
	return &t
}

func tick(t *int64) int64 {
	if t == nil {
		return ring.NoTime
	}
	return *t
}

func sessionProto(s *ring.Session) *galav1.IngestSession {
	m := &galav1.IngestSession{Number: int32(s.Number), Container: s.Container, Notes: s.Notes, SkewUs: tickProto(s.Skew)}
	if s.Wall != nil {
		m.WallAtUs, m.WallTimeUs = &s.Wall.At, s.Wall.Time
	}
	for _, st := range s.Streams {
		m.Streams = append(m.Streams, &galav1.IngestStream{
			Id: int32(st.ID), Kind: galav1.IngestStream_Kind(st.Kind), Timebase: &galav1.Rational{Num: st.Base.Num, Den: st.Base.Den},
			Codec: st.Codec, Extradata: st.Extradata, Language: st.Language, ChannelLayout: st.Layout, Params: st.Params, SideData: sideDataProto(st.SideData),
		})
	}
	return m
}

func session(m *galav1.IngestSession) *ring.Session {
	s := &ring.Session{Number: int(m.GetNumber()), Container: m.GetContainer(), Notes: m.GetNotes(), Skew: tick(m.SkewUs)}
	if m.WallAtUs != nil {
		s.Wall = &ring.Wall{At: m.GetWallAtUs(), Time: m.GetWallTimeUs()}
	}
	for _, st := range m.GetStreams() {
		s.Streams = append(s.Streams, ring.Stream{
			ID: int(st.GetId()), Kind: ring.Kind(st.GetKind()), Base: timeline.Timebase{Num: st.GetTimebase().GetNum(), Den: st.GetTimebase().GetDen()},
			Codec: st.GetCodec(), Extradata: st.GetExtradata(), Language: st.GetLanguage(), Layout: st.GetChannelLayout(), Params: st.GetParams(), SideData: sideData(st.GetSideData()),
		})
	}
	return s
}

func sideDataProto(all []ring.SideData) []*galav1.IngestSideData {
	var out []*galav1.IngestSideData
	for _, d := range all {
		out = append(out, &galav1.IngestSideData{Kind: int32(d.Kind), Data: d.Data})
	}
	return out
}

func sideData(all []*galav1.IngestSideData) []ring.SideData {
	var out []ring.SideData
	for _, d := range all {
		out = append(out, ring.SideData{Kind: int(d.GetKind()), Data: d.GetData()})
	}
	return out
}
