package verify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/progressive"
)

// single makes one file of a fixture's segments [0, until).
func makeSingle(t *testing.T, files map[string][]byte, until int, names ...string) []byte {
	t.Helper()
	var spool bytes.Buffer
	f := progressive.New(&spool)
	for _, name := range names {
		for p, body := range files {
			if strings.HasPrefix(p, name+"/init-") {
				if err := f.AddTrack(body); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for n := range until {
		var bodies [][]byte
		for _, name := range names {
			bodies = append(bodies, files[fmt.Sprintf("%s/%d.m4s", name, n)])
		}
		if err := f.Add(bodies); err != nil {
			t.Fatal(err)
		}
	}
	head, err := f.Head()
	if err != nil {
		t.Fatal(err)
	}
	return append(head, spool.Bytes()...)
}

func TestGoodMP4(t *testing.T) {
	files := vod().files(t)
	files["hi.mp4"], files["lo.mp4"] = makeSingle(t, files, 3, "hi", "audio"), makeSingle(t, files, 3, "lo", "audio")
	r := judge(t, Options{Target: write(t, files), Decoder: paper{}})
	wantOnly(t, r, short...)
	if res, _ := r.Result("mp4"); res.Status != Pass {
		t.Errorf("%+v", res)
	}
}

func TestBrokenMP4(t *testing.T) {
	for name, spoil := range map[string]func(files map[string][]byte) []byte{
		"a segment less":       func(files map[string][]byte) []byte { return makeSingle(t, files, 2, "hi", "audio") },
		"of another rendition": func(files map[string][]byte) []byte { return makeSingle(t, files, 3, "lo", "audio") },
		"no sound":             func(files map[string][]byte) []byte { return makeSingle(t, files, 3, "hi") },
		"no pictures":          func(files map[string][]byte) []byte { return makeSingle(t, files, 3, "audio") },
		"cut": func(files map[string][]byte) []byte {
			b := makeSingle(t, files, 3, "hi", "audio")
			return b[:len(b)-9000]
		},
		"no file":               func(map[string][]byte) []byte { return []byte("not a file") },
		"the index at the end":  func(files map[string][]byte) []byte { return turned(makeSingle(t, files, 3, "hi", "audio")) },
		"an edit that is short": func(files map[string][]byte) []byte { return edited(makeSingle(t, files, 3, "hi", "audio")) },
	} {
		t.Run(name, func(t *testing.T) {
			files := vod().files(t)
			files["hi.mp4"] = spoil(files)
			wantOnly(t, judge(t, Options{Target: write(t, files), Decoder: paper{}}), append([]string{"mp4"}, short...)...)
		})
	}
}

// turned has its samples before the index.
func turned(b []byte) []byte {
	i, j := bytes.Index(b, []byte("moov"))-4, bytes.Index(b, []byte("mdat"))-4
	return slices.Concat(b[:i], b[j:], b[i:j])
}

// edited shows less of its first track: by its edit.
func edited(b []byte) []byte {
	i := bytes.Index(b, []byte("elst"))
	b[i+12+5]--
	return b
}
