package libav

import (
	"errors"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
)

// silentUnit is a frame of silence like those of a track.
func silentUnit(a ladders.Audio) ([]byte, error) {
	if a.Channels > 2 {
		a.Channels = 6 // decoders follow a change of mode
	}
	a.Bitrate = min(a.Bitrate, 640_000)
	s := &audioStage{a: a, pkt: astiav.AllocPacket()}
	defer s.pkt.Free()
	err := s.openEncoder()
	defer func() {
		if s.cc != nil {
			s.cc.Free()
		}
	}()
	if err != nil {
		return nil, err
	}
	f := s.newFrame(s.cc.FrameSize())
	defer f.Free()
	if err := errors.Join(f.AllocBuffer(0), f.SamplesFillSilence()); err != nil {
		return nil, err
	}
	var data []byte
	for i := range int64(4) { // the first carry what the encoder begins with
		f.SetPts(i * int64(f.NbSamples()))
		if err := s.cc.SendFrame(f); err != nil {
			return nil, err
		}
		for s.cc.ReceivePacket(s.pkt) == nil {
			data = append(data[:0], s.pkt.Data()...)
			s.pkt.Unref()
		}
	}
	if len(data) == 0 {
		return nil, errors.New("the encoder gave no frame")
	}
	return data, nil
}
