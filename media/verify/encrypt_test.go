package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/keys"
)

// keyTag names key 16 bytes of A, in base64.
const keyTag = `METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,QUFBQUFBQUFBQUFBQUFBQQ==",KEYFORMAT="org.w3.clearkey",KEYFORMATVERSIONS="1"`

func testLock() *cmaf.Protection {
	p := &cmaf.Protection{Scheme: "cenc", Key: [16]byte{7}}
	copy(p.KeyID[:], strings.Repeat("A", 16))
	return p
}

func encryptedVOD() *fixture {
	f := vod()
	f.lock = testLock()
	return f
}

func theKey() keys.Set {
	return keys.Set{keys.All: {ID: keys.ID(testLock().KeyID), Value: keys.Secret(testLock().Key)}}
}

// eager decodes on paper, and looks whether the frames are in the clear.
type eager struct {
	paper
	t *testing.T
}

func (e eager) Decode(ctx context.Context, r io.Reader, each func(Frame)) (Summary, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return Summary{}, err
	}
	if bytes.Contains(body, []byte("encv")) || bytes.Contains(body, []byte("senc")) {
		e.t.Error("the decoder got what is encrypted")
	}
	if picture, sound := bytes.Repeat([]byte{0x55}, 190), bytes.Repeat([]byte{0x21}, 30); !bytes.Contains(body, picture) && !bytes.Contains(body, sound) {
		e.t.Error("the decoder got what did not decrypt")
	}
	return e.paper.Decode(ctx, bytes.NewReader(body), each)
}

func TestGoodEncryptedVOD(t *testing.T) {
	r := judge(t, Options{Target: write(t, encryptedVOD().files(t)), Decoder: eager{t: t}, Keys: theKey()})
	wantOnly(t, r, short...)
	for _, id := range []string{"encrypted", "encrypted-said", "key-ids", "decode", "iframes"} {
		if res, _ := r.Result(id); res.Status != Pass {
			t.Errorf("%s is %s: %s", id, res.Status, res.Reason)
		}
	}
}

// Without the key all but the pictures is judged, and that is said.
func TestEncryptedWithoutKeys(t *testing.T) {
	r := judge(t, Options{Target: write(t, encryptedVOD().files(t)), Decoder: paper{}})
	wantOnly(t, r, short...)
	if res, _ := r.Result("decode"); res.Status != NotApplicable || !strings.Contains(res.Reason, "--keys") {
		t.Errorf("decode is %s: %s", res.Status, res.Reason)
	}
	if len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "it was not decoded") {
		t.Errorf("notes: %v", r.Notes)
	}
}

// patch changes the bytes behind the first box of that type in a segment.
func patch(file, box string, change func(body []byte)) func(*fixture, map[string][]byte) {
	return func(_ *fixture, files map[string][]byte) {
		b, ok := files[file]
		if !ok {
			return
		}
		change(b[bytes.Index(b, []byte(box))+4:])
	}
}

// inInit changes the init segment of a rendition, which gets its name anew.
func inInit(rendition, box string, change func(body []byte)) func(*fixture, map[string][]byte) {
	return with(func(f *fixture) {
		f.initial = func(r string, b []byte) []byte {
			if r == rendition {
				change(b[bytes.Index(b, []byte(box))+4:])
			}
			return b
		}
	})
}

func encryptionBreakages() map[string]breakage {
	return map[string]breakage{
		"no senc":               {rule: "encrypted", change: retype("hi/0.m4s", "senc", "sexc")},
		"subsamples too short":  {rule: "encrypted", change: patch("hi/0.m4s", "senc", func(b []byte) { b[8+16+2+1]-- })},
		"saio points elsewhere": {rule: "encrypted", change: patch("hi/0.m4s", "saio", func(b []byte) { binary.BigEndian.PutUint32(b[8:], 99) })},
		"saiz of another size":  {rule: "encrypted", change: patch("hi/0.m4s", "saiz", func(b []byte) { b[9]++ })},
		"not protected":         {rule: "encrypted", change: inInit("hi", "tenc", func(b []byte) { b[6] = 0 })},
		"no key tag":            {rule: "encrypted-said", change: text("hi/media.m3u8", "#EXT-X-KEY", "#EXT-X-NONE")},
		"no key tag, I-frames":  {rule: "encrypted-said", change: text("hi/iframes.m3u8", "#EXT-X-KEY", "#EXT-X-NONE")},
		"other method":          {rule: "encrypted-said", change: text("audio/media.m3u8", "SAMPLE-AES-CTR", "SAMPLE-AES")},
		"no session key":        {rule: "encrypted-said", change: text("master.m3u8", "#EXT-X-SESSION-KEY", "#EXT-X-NONE")},
		"no descriptor":         {rule: "encrypted-said", change: text(manifestName, "urn:mpeg:dash:mp4protection:2011", "urn:other")},
		"other scheme":          {rule: "encrypted-said", change: text(manifestName, `value="cenc"`, `value="cbcs"`)},
		"key tag in the clear":  {rule: "encrypted-said", change: text("hi/media.m3u8", "#EXT-X-TARGETDURATION", "#EXT-X-KEY:"+keyTag+"\n#EXT-X-TARGETDURATION"), base: vod},
		"descriptor, clear":     {rule: "encrypted-said", change: untouched, base: descriptorOnly},
		"other key in HLS":      {rule: "key-ids", change: text("hi/media.m3u8", "QUFB", "QkFB")},
		"other key in DASH":     {rule: "key-ids", change: text(manifestName, "41414141-", "42414141-")},
		"other key in the init": {rule: "key-ids", change: inInit("hi", "tenc", func(b []byte) { b[8] = 0 })},
	}
}

// retype gives a box a type that nobody knows.
func retype(file, from, to string) func(*fixture, map[string][]byte) {
	return func(_ *fixture, files map[string][]byte) {
		files[file] = bytes.Replace(files[file], []byte(from), []byte(to), 1)
	}
}

func descriptorOnly() *fixture {
	f := vod()
	f.promised = true
	return f
}

func TestBrokenEncryption(t *testing.T) {
	all := encryptionBreakages()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			c := all[name]
			f := encryptedVOD()
			if c.base != nil {
				f = c.base()
			}
			c.change(f, map[string][]byte{})
			files := f.files(t)
			c.change(f, files)
			wantBroken(t, judge(t, Options{Target: write(t, files), Decoder: paper{}}), c.rule)
		})
	}
}

// A key that is not the right one is seen by the decoder.
func TestWrongKeyIsAFinding(t *testing.T) {
	set := theKey()
	wrong := set[keys.All]
	wrong.Value[0]++
	r := judge(t, Options{Target: write(t, encryptedVOD().files(t)), Decoder: suspicious{}, Keys: keys.Set{keys.All: wrong}})
	wantBroken(t, r, "decode")
}

// suspicious errs on frames that it does not know.
type suspicious struct{ paper }

func (s suspicious) Decode(ctx context.Context, r io.Reader, each func(Frame)) (Summary, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return Summary{}, err
	}
	sum, err := s.paper.Decode(ctx, bytes.NewReader(body), each)
	if !bytes.Contains(body, bytes.Repeat([]byte{0x55}, 190)) {
		sum.Errors, sum.Messages = 1, []string{"garbage"}
	}
	return sum, err
}
