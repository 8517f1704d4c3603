package wire

import (
	"time"

	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// SlateProto is nil for the slate that nobody asked anything of.
func SlateProto(s media.Slate) *galav1.Slate {
	if s.Color == "" && s.Text == "" && len(s.Image) == 0 {
		return nil
	}
	return &galav1.Slate{Color: s.Color, Text: s.Text, Image: s.Image}
}

// Slate reads one back.
func Slate(p *galav1.Slate) media.Slate {
	return media.Slate{Color: p.GetColor(), Text: p.GetText(), Image: p.GetImage()}
}

// LossProto is nil where all is left to the defaults.
func LossProto(l media.Loss) *galav1.Failover {
	if l == (media.Loss{}) {
		return nil
	}
	ms := func(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
	return &galav1.Failover{LossMs: ms(l.After), SlateAfterMs: ms(l.Slate), ReturnSeconds: uint32(l.Return / time.Second),
		BlackMs: ms(l.Black), FreezeMs: ms(l.Freeze), SilenceMs: ms(l.Silence)}
}

// Loss reads one back.
func Loss(p *galav1.Failover) media.Loss {
	ms := func(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
	return media.Loss{After: ms(p.GetLossMs()), Slate: ms(p.GetSlateAfterMs()), Return: time.Duration(p.GetReturnSeconds()) * time.Second,
		Black: ms(p.GetBlackMs()), Freeze: ms(p.GetFreezeMs()), Silence: ms(p.GetSilenceMs())}
}
