package teletext_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/galafarm/gala/media/teletext"
	"github.com/galafarm/gala/media/teletext/inserter"
)

func TestListed(t *testing.T) {
	// An initial page, subtitles of magazine 8 and of 1, a page for who does not hear,
	// and a page a second time.
	pages := []byte{0x09, 0x00, 0x10, 0x88, 0x11, 0x50, 0x2a, 0x77, 0x28, 0x88}
	want := []teletext.Subtitles{{Page: 0x888, Language: "swe"}, {Page: 0x150, Language: "fin"}, {Page: 0x277, Language: "swe", Impaired: true}}
	if got := teletext.Listed(pages, "swe,swe,fin,swe,nor"); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := teletext.Listed([]byte{0x10, 0x88, 0x10}, ""); !slices.Equal(got, []teletext.Subtitles{{Page: 0x888}}) {
		t.Errorf("without a language, cut off: %+v", got)
	}
	if s := teletext.Page(0x888).String(); s != "888" {
		t.Error(s)
	}
}

// puts gives the payloads to a follower, a hundred apart, and lists when what it
// gives was sent.
func puts(f *teletext.Follower, payloads ...[]byte) (at []int64, all []teletext.Sent) {
	for i, p := range payloads {
		for _, s := range f.Put(p, int64(i)*100) {
			at, all = append(at, s.At), append(all, s)
		}
	}
	return at, all
}

func TestFollowsOnePage(t *testing.T) {
	ours := inserter.Page{Page: 0x888, Lines: []string{"one", "two"}}
	other := inserter.Page{Page: 0x150, Lines: []string{"news"}}
	neighbour := inserter.Page{Page: 0x889, Lines: []string{"next"}, Open: true}
	open := ours
	open.Open = true
	for name, c := range map[string]struct {
		page     teletext.Page
		payloads [][]byte
		want     []int64
	}{
		"closed":                     {0x888, [][]byte{inserter.Payload(ours)}, []int64{0}},
		"among others":               {0x888, [][]byte{inserter.Payload(other), inserter.Payload(other, ours, other)}, []int64{100}},
		"closed by another":          {0x888, [][]byte{inserter.Payload(open), inserter.Payload(neighbour)}, []int64{0}},
		"closed by itself":           {0x888, [][]byte{inserter.Payload(open), inserter.Payload(open), inserter.Payload(neighbour)}, []int64{0, 100}},
		"not by another magazine":    {0x888, [][]byte{inserter.Payload(open), inserter.Payload(other)}, nil},
		"by time":                    {0x888, [][]byte{inserter.Payload(open), nil, nil, nil, inserter.Payload(other)}, []int64{0}},
		"any that says so":           {0, [][]byte{inserter.Payload(ours, other)}, []int64{0, 0}},
		"none that does not":         {0, [][]byte{inserter.Payload(inserter.Page{Page: 0x100, Lines: []string{"index"}, Unmarked: true})}, nil},
		"listed is enough":           {0x100, [][]byte{inserter.Payload(inserter.Page{Page: 0x100, Unmarked: true})}, []int64{0}},
		"another kind of data":       {0x888, [][]byte{append([]byte{0x20}, inserter.Payload(ours)[1:]...)}, nil},
		"cut off in its second line": {0x888, [][]byte{inserter.Payload(ours)[:1+46*2+7], inserter.Payload(neighbour)}, []int64{0}},
	} {
		f := teletext.Follower{Page: c.page, Patience: 250}
		if got, _ := puts(&f, c.payloads...); !slices.Equal(got, c.want) {
			t.Errorf("%s: sent at %v, want %v", name, got, c.want)
		}
	}
}

// What a decoder gets is the page and what closes it, as it was sent, in packets of
// the size that decoders want.
func TestSentIsWhole(t *testing.T) {
	ours := inserter.Page{Page: 0x888, Lines: []string{"åäö"}, Option: inserter.Swedish}
	want := inserter.Payload(ours)
	f := teletext.Follower{Page: 0x888}
	_, all := puts(&f, inserter.Payload(inserter.Page{Page: 0x150, Lines: []string{"news"}}, ours), inserter.Payload(inserter.Page{Page: 0x888}))
	if len(all) != 2 || all[0].Blank || !all[1].Blank {
		t.Fatalf("%+v", all)
	}
	for _, s := range all {
		if (len(s.Payload)+45)%184 != 0 {
			t.Errorf("%d bytes", len(s.Payload))
		}
	}
	row := func(p []byte, n int) []byte { return p[1+46*n+3 : 1+46*(n+1)] } // without the line of the picture
	for n := range 2 {
		if !bytes.Equal(row(all[0].Payload, n), row(want, n)) {
			t.Errorf("packet %d is\n%x, want\n%x", n, row(all[0].Payload, n), row(want, n))
		}
	}
}

// One wrong bit in an address or a header changes nothing; with two the line is
// left out.
func TestDamagedLines(t *testing.T) {
	whole := inserter.Payload(inserter.Page{Page: 0x888, Lines: []string{"one"}})
	for i := 5; i < 5+10; i++ { // address and header
		for bit := range 8 {
			p := slices.Clone(whole)
			p[i] ^= 1 << bit
			f := teletext.Follower{Page: 0x888}
			if _, all := puts(&f, p); len(all) != 1 || all[0].Page != 0x888 {
				t.Fatalf("byte %d, bit %d: %+v", i, bit, all)
			}
		}
		p := slices.Clone(whole)
		p[i] ^= 0x81
		f := teletext.Follower{Page: 0x888}
		if _, all := puts(&f, p); len(all) != 0 {
			t.Errorf("byte %d, two bits: %+v", i, all)
		}
	}
}

func FuzzFollower(f *testing.F) {
	f.Add(inserter.Payload(inserter.Page{Page: 0x888, Lines: []string{"one"}}), 0x888)
	f.Fuzz(func(t *testing.T, b []byte, page int) {
		follow := teletext.Follower{Page: teletext.Page(page)}
		for range 3 {
			for _, s := range follow.Put(b, 0) {
				if n := (len(s.Payload) - 1) / 46; n > 64 || (len(s.Payload)+45)%184 != 0 {
					t.Fatalf("%d lines in %d bytes", n, len(s.Payload))
				}
			}
		}
	})
}
