package ring

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/galafarm/gala/timeline"
)

// tv is a picture of 25 frames a second and its sound, in ticks of 1/90000.
func tv(number int) Session {
	base := timeline.Timebase{Num: 1, Den: 90000}
	return Session{Number: number, Container: "mpegts", Streams: []Stream{{Kind: Audio, Base: base}, {Kind: Video, Base: base}}}
}

// picture n of a source whose key frames are gop apart, a second of arrival for
// a second of source.
func picture(n, gop int64) Packet {
	return Packet{Stream: 1, PTS: n * 3600, DTS: n * 3600, Key: n%gop == 0, Data: []byte{byte(n)}, Arrival: 5_000_000 + n*40_000}
}

func fill(r *Ring, from, to, gop int64) {
	for n := from; n < to; n++ {
		r.Put(picture(n, gop))
	}
}

func next(t *testing.T, d *Reader) Item {
	t.Helper()
	it, err := d.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// first is the picture that a reader begins with, after the description.
func first(t *testing.T, d *Reader) int64 {
	t.Helper()
	if it := next(t, d); it.Session == nil || it.Session.Container != "mpegts" {
		t.Fatalf("the first item is %+v, want the description", it)
	}
	return next(t, d).Packet.PTS / 3600
}

func TestReadersBeginAtAKeyFrame(t *testing.T) {
	r := New(Limits{Keep: time.Hour, Bytes: 1 << 20})
	r.Begin(tv(1))
	fill(r, 3, 100, 25)
	for _, tt := range []struct {
		name       string
		from, want int64
	}{
		{"the oldest", Oldest, 25}, {"before all", 0, 25}, {"on one", 2_000_000, 50}, {"between two", 2_900_000, 50}, {"the newest", 1 << 60, 75},
	} {
		if got := first(t, r.Read(tt.from)); got != tt.want {
			t.Errorf("%s: it begins at %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := New(Limits{Keep: 2 * time.Second, Bytes: 1 << 20})
	r.Begin(tv(1))
	fill(r, 0, 1000, 25)
	if st := r.Stats(); st.Kept != 2_000_000 || st.KeptBytes != 51 || st.Packets != 1000 {
		t.Errorf("%+v", st)
	}
	small := New(Limits{Keep: time.Hour, Bytes: 10})
	small.Begin(tv(1))
	fill(small, 0, 1000, 25)
	if st := small.Stats(); st.KeptBytes > 10 {
		t.Errorf("%+v", st)
	}
}

func TestSlowReaderIsTold(t *testing.T) {
	r := New(Limits{Keep: time.Second, Bytes: 1 << 20})
	r.Begin(tv(1))
	fill(r, 0, 30, 25)
	d := r.Read(Oldest)
	if got := first(t, d); got != 25 {
		t.Fatalf("it begins at %d", got)
	}
	fill(r, 30, 200, 25)
	it := next(t, d)
	if it.Lost == 0 || it.Packet.PTS/3600 != 175 {
		t.Errorf("it goes on at %d after %d lost, want a key frame and the loss", it.Packet.PTS/3600, it.Lost)
	}
	if it := next(t, d); it.Lost != 0 || it.Packet.PTS/3600 != 176 {
		t.Errorf("then comes %d, %d lost", it.Packet.PTS/3600, it.Lost)
	}
}

func TestReadersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Limits{Keep: time.Hour, Bytes: 1 << 20})
		got := make(chan int64)
		go func() { got <- first(t, r.Read(Oldest)) }()
		synctest.Wait()
		r.Begin(tv(1))
		r.Put(picture(4, 25)) // no key frame: nothing can be shown yet
		synctest.Wait()
		select {
		case n := <-got:
			t.Fatalf("it began at %d", n)
		default:
		}
		r.Put(picture(25, 25))
		if n := <-got; n != 25 {
			t.Errorf("it began at %d", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Read(1 << 60).Next(ctx); err != nil {
			t.Error(err)
		}
		why := errors.New("refused")
		r.End(why)
		d := r.Read(Oldest)
		first(t, d)
		if _, err := d.Next(ctx); !errors.Is(err, why) {
			t.Errorf("the end is %v", err)
		}
	})
}

func TestSessionsAreTold(t *testing.T) {
	r := New(Limits{Keep: time.Hour, Bytes: 1 << 20})
	r.Begin(tv(1))
	fill(r, 0, 10, 25)
	late := picture(9, 25)
	late.Arrival += 500_000 // one that came late is no measure
	r.Put(late)
	r.Begin(tv(2))
	fill(r, 25, 30, 25)
	d := r.Read(Oldest)
	var sessions []int
	var seen int
	for seen < 16 {
		it := next(t, d)
		if it.Session != nil {
			sessions = append(sessions, it.Session.Number)
			if it.Session.Number == 2 && it.Session.Skew != 5_000_000 || it.Session.Number == 1 && it.Session.Skew != NoTime {
				t.Errorf("session %d is skewed by %d", it.Session.Number, it.Session.Skew)
			}
			continue
		}
		seen++
	}
	if len(sessions) != 2 || sessions[0] != 1 || sessions[1] != 2 {
		t.Errorf("sessions %v", sessions)
	}
}

// Whatever is written and read when, a reader gets packets in order, none
// twice, and knows of every one that it missed.
func TestReaderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(Limits{Keep: time.Duration(rapid.IntRange(1, 3000).Draw(t, "keep")) * time.Millisecond, Bytes: int64(rapid.IntRange(1, 100).Draw(t, "bytes"))})
		r.Begin(tv(1))
		gop := rapid.Int64Range(1, 30).Draw(t, "gop")
		var d *Reader
		last, n := int64(-1), int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "write") {
				more := rapid.Int64Range(1, 50).Draw(t, "n")
				fill(r, n, n+more, gop)
				n += more
				continue
			}
			if d == nil {
				d = r.Read(rapid.Int64Range(0, 3_000_000).Draw(t, "from"))
			}
			it, changed, err := d.try()
			if changed != nil || err != nil || it.Session != nil {
				continue
			}
			at := it.Packet.PTS / 3600
			switch {
			case at <= last:
				t.Fatalf("%d after %d", at, last)
			case last < 0 && !it.Packet.Key, it.Lost > 0 && !it.Packet.Key:
				t.Fatalf("it goes on at %d, which is no key frame", at)
			case last >= 0 && at != last+1 && it.Lost == 0:
				t.Fatalf("%d after %d without a word", at, last)
			}
			last = at
		}
	})
}
