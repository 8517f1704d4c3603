package pull

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// encrypt is AES-128 in CBC with PKCS #7 padding (RFC 8216bis §4.4.4.4).
func encrypt(t *testing.T, key, body string, iv [16]byte) string {
	t.Helper()
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	pad := 16 - len(body)%16
	b := append([]byte(body), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(b, b)
	return string(b)
}

func byNumber(n byte) [16]byte { return [16]byte{15: n} }

const keyA, keyB = "0123456789abcdef", "fedcba9876543210"

// list is a live playlist of the given lines and segments, the first of which
// has a number.
func listOf(first int, lines ...string) string {
	return fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:%d\n", first) + strings.Join(lines, "\n") + "\n"
}

func TestRFC8216_4_4_4_4_KeysRotate(t *testing.T) {
	s := newSite(t, map[string]string{
		"/keys/a": keyA, "/keys/b": keyB,
		"/7.ts":  encrypt(t, keyA, "<7>", byNumber(7)), // by its number
		"/8.ts":  encrypt(t, keyB, "<8, of more than sixteen bytes>", [16]byte{0: 0xAB, 15: 1}),
		"/9.ts":  "<9 in clear>",
		"/10.ts": encrypt(t, keyA, "<sixteen bytes.>", byNumber(10)),
	})
	window := []string{`#EXT-X-KEY:METHOD=AES-128,URI="keys/a"`, "#EXTINF:1,\n7.ts",
		`#EXT-X-KEY:METHOD=AES-128,URI="/keys/b",KEYFORMAT="identity",IV=0xAB000000000000000000000000000001`, "#EXTINF:1,\n8.ts",
		"#EXT-X-KEY:METHOD=NONE", "#EXTINF:1,\n9.ts"}
	s.put("/live.m3u8", listOf(7, window...))
	k := open(t, s.URL+"/live.m3u8", anything)[0]
	expect(t, k, "<7><8, of more than sixteen bytes><9 in clear>")
	s.put("/live.m3u8", listOf(8, append(window[2:], `#EXT-X-KEY:METHOD=AES-128,URI="keys/a"`, "#EXTINF:1,\n10.ts")...))
	expect(t, k, "<sixteen bytes.>")
	if s.asked["/keys/b"] != 1 {
		t.Errorf("a key was fetched %d times", s.asked["/keys/b"])
	}
}

func TestKeyHoldsForLaterSegments(t *testing.T) {
	s := newSite(t, map[string]string{"/k": keyA})
	lines := []string{`#EXT-X-KEY:METHOD=AES-128,URI="k"`}
	for n := byte(1); n < 7; n++ {
		s.put(fmt.Sprintf("/%d.ts", n), encrypt(t, keyA, fmt.Sprintf("<%d>", n), byNumber(n)))
		lines = append(lines, fmt.Sprintf("#EXTINF:1,\n%d.ts", n))
	}
	s.put("/live.m3u8", listOf(1, lines...))
	expect(t, open(t, s.URL+"/live.m3u8", anything)[0], "<4><5><6>")
	if s.asked["/k"] != 1 {
		t.Errorf("the key was fetched %d times", s.asked["/k"])
	}
}

func TestInitSegmentEncryptedOrInClear(t *testing.T) {
	plain := isoInit(t, 1000)
	for name, c := range map[string]struct{ body, want string }{
		"in clear":  {plain, plain},
		"encrypted": {encrypt(t, keyA, plain, byNumber(9)), plain},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, map[string]string{"/k": keyA, "/i.mp4": c.body, "/1.m4s": encrypt(t, keyA, isoSkip("<1>"), byNumber(9))})
			s.put("/live.m3u8", listOf(1, `#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x9`, `#EXT-X-MAP:URI="i.mp4"`, "#EXTINF:1,\n1.m4s"))
			expect(t, open(t, s.URL+"/live.m3u8", anything)[0], c.want+isoSkip("<1>"))
		})
	}
}

// What this farm cannot decrypt says what it is, before anything is on air.
func TestRefusedEncryption(t *testing.T) {
	s := newSite(t, map[string]string{"/1.ts": "x", "/k": keyA})
	for want, line := range map[string]string{
		"SAMPLE-AES":        `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"`,
		"SAMPLE-AES-CTR":    `#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:x",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"`,
		"com.apple.streami": `#EXT-X-KEY:METHOD=AES-128,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"`,
		"no address":        `#EXT-X-KEY:METHOD=AES-128`,
		"of 128 bits":       `#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x123456789012345678901234567890123`,
	} {
		s.put("/live.m3u8", listOf(1, line, "#EXTINF:1,\n1.ts"))
		_, err := Open(t.Context(), s.URL+"/live.m3u8", anything)
		if me, ok := errors.AsType[*media.Error](err); !ok || me.Retryable || me.Advice == "" || !strings.Contains(me.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A key that is not to be had is no hole in the source.
func TestKeysThatDoNotOpen(t *testing.T) {
	s := newSite(t, map[string]string{"/short": "abc", "/wrong": keyB, "/1.ts": encrypt(t, keyA, "<1>", byNumber(1)), "/2.ts": "cut"})
	for name, want := range map[string]string{"none": "it is not there", "short": "want 16", "wrong": "padding"} {
		s.put("/live.m3u8", listOf(1, `#EXT-X-KEY:METHOD=AES-128,URI="`+name+`"`, "#EXTINF:1,\n1.ts"))
		_, err := open(t, s.URL+"/live.m3u8", anything)[0].Read(make([]byte, 9))
		if me, ok := errors.AsType[*media.Error](err); !ok || !me.Retryable || !strings.Contains(me.Error(), want) {
			t.Errorf("key %s: %v, want %q", name, err, want)
		}
	}
}

// A key is fetched by the rules that hold for segments.
func TestKeyBeyondTheRules(t *testing.T) {
	canary := newSite(t, map[string]string{"/k": keyA})
	s := newSite(t, map[string]string{"/1.ts": encrypt(t, keyA, "<1>", byNumber(1))})
	only := input.Rules{Patterns: []string{s.URL + "/*"}}
	for _, at := range []string{canary.URL + "/k", "file:///etc/passwd", "data:text/plain;base64,MDEyMzQ1Njc4OWFiY2RlZg=="} {
		s.put("/live.m3u8", listOf(1, `#EXT-X-KEY:METHOD=AES-128,URI="`+at+`"`, "#EXTINF:1,\n1.ts"))
		_, err := open(t, s.URL+"/live.m3u8", only)[0].Read(make([]byte, 9))
		if me, ok := errors.AsType[*media.Error](err); !ok || me.Retryable {
			t.Errorf("%s: %v, want a refusal", at, err)
		}
	}
	if len(canary.asked) > 0 {
		t.Errorf("the other server was asked for %v", canary.asked)
	}
}

// A new init segment ends the connection; the next begins with it.
func TestAnotherInitSegment(t *testing.T) {
	a, b := isoInit(t, 1000), isoInit(t, 2000)
	s := newSite(t, map[string]string{"/a.mp4": a, "/copy.mp4": a, "/b.mp4": b, "/1.m4s": isoSkip("<1>"), "/2.m4s": isoSkip("<2>"), "/3.m4s": isoSkip("<3>")})
	before := []string{`#EXT-X-MAP:URI="a.mp4"`, "#EXTINF:1,\n1.m4s", `#EXT-X-MAP:URI="copy.mp4"`, "#EXTINF:1,\n2.m4s"}
	s.put("/live.m3u8", listOf(1, before[:2]...))
	k := open(t, s.URL+"/live.m3u8", anything)[0]
	expect(t, k, a+isoSkip("<1>"))
	s.put("/live.m3u8", listOf(1, append(before, `#EXT-X-MAP:URI="b.mp4"`, "#EXTINF:1,\n3.m4s")...))
	expect(t, k, isoSkip("<2>"))
	if _, err := k.Read(make([]byte, 1)); !errors.Is(err, errChanged) {
		t.Errorf("the init segment changed: %v", err)
	}
	expect(t, open(t, s.URL+"/live.m3u8", anything)[0], b+isoSkip("<3>"))
}
