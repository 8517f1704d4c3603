package verify

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/thumbs"
)

// thumbnails are 14 of the fixture's 276 frames, on two sheets.
func (f *fixture) thumbnails(t testing.TB, out map[string][]byte) {
	t.Helper()
	p := thumbs.Plan{Thumbnails: ladders.Thumbnails{Width: 32, Height: 18, Every: 20, Columns: 3, Rows: 4}, Grid: f.grid(t), Frames: 276}
	for n := range p.Sheets() {
		body, err := p.NewSheet().JPEG()
		if err != nil {
			t.Fatal(err)
		}
		out["thumbnails/"+thumbs.SheetName(n)] = body
	}
	out["thumbnails/"+thumbs.VTTName] = p.VTT()
}

func illustrated() *fixture {
	f := vod()
	f.thumbs = true
	return f
}

func TestGoodThumbnails(t *testing.T) {
	r := judge(t, Options{Target: write(t, illustrated().files(t)), Decoder: paper{}})
	wantOnly(t, r, short...)
	for _, id := range []string{"thumbnails", "dash-thumbnails"} {
		if res, _ := r.Result(id); res.Status != Pass {
			t.Errorf("%s: %s", id, res.Status)
		}
	}
}

func TestBrokenThumbnails(t *testing.T) {
	const list = "thumbnails/thumbnails.vtt"
	change := func(file, old, fresh string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			if !strings.Contains(string(files[file]), old) {
				t.Fatalf("%s does not say %q:\n%s", file, old, files[file])
			}
			files[file] = []byte(strings.Replace(string(files[file]), old, fresh, 1))
		}
	}
	const first = "00:00:00.000 --> 00:00:00.400\n0.jpg#xywh=0,0,32,18\n\n"
	for name, c := range map[string]struct {
		spoil func(map[string][]byte)
		rules []string
	}{
		"a sheet less":        {func(files map[string][]byte) { delete(files, "thumbnails/1.jpg") }, []string{"thumbnails"}},
		"a damaged sheet":     {func(files map[string][]byte) { files["thumbnails/0.jpg"] = files["thumbnails/0.jpg"][:99] }, []string{"thumbnails", "dash-thumbnails"}},
		"an enormous sheet":   {func(files map[string][]byte) { claim(t, files["thumbnails/0.jpg"], 65500) }, []string{"thumbnails", "dash-thumbnails"}},
		"no list":             {change(list, "#xywh=0,0", "#t=0,0"), []string{"thumbnails"}},
		"the first is late":   {change(list, first, ""), []string{"thumbnails"}},
		"a hole":              {change(list, "00:00:00.800 -->", "00:00:00.900 -->"), []string{"thumbnails"}},
		"it ends early":       {change(list, "00:00:05.520", "00:00:05.300"), []string{"thumbnails"}},
		"outside":             {change(list, "xywh=64,54", "xywh=65,54"), []string{"thumbnails"}},
		"another tile":        {change("manifest.mpd", `value="3x4"`, `value="4x3"`), []string{"dash-thumbnails"}},
		"another size":        {change("manifest.mpd", `width="96" height="72"`, `width="960" height="72"`), []string{"dash-thumbnails"}},
		"another clock":       {change("manifest.mpd", `duration="240"`, `duration="120"`), []string{"dash-thumbnails"}},
		"not in the manifest": {change("manifest.mpd", `contentType="image"`, `contentType="text"`), []string{"dash-text", "dash-thumbnails"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := illustrated().files(t)
			c.spoil(files)
			wantOnly(t, judge(t, Options{Target: write(t, files), Decoder: paper{}}), append(c.rules, short...)...)
		})
	}
}

// claim another size in the header of a picture.
func claim(t *testing.T, jpeg []byte, size uint16) {
	t.Helper()
	i := bytes.Index(jpeg, []byte{0xFF, 0xC0}) // SOF0: length, precision, height, width
	if i < 0 {
		t.Fatal("no baseline header")
	}
	binary.BigEndian.PutUint16(jpeg[i+5:], size)
	binary.BigEndian.PutUint16(jpeg[i+7:], size)
}

func TestEnormousSheet(t *testing.T) {
	files := illustrated().files(t)
	sheet := files["thumbnails/0.jpg"]
	claim(t, sheet, 65500)
	if _, err := decodeSheet(sheet); err == nil || !strings.Contains(err.Error(), "65500x65500 is too large") {
		t.Error(err)
	}
}
