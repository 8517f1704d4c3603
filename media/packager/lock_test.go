package packager_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/media/packager"
)

func keySet(t testing.TB, text string) keys.Set {
	t.Helper()
	set, err := keys.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

const (
	pictureKey = "keys:\n- {for: video, id: 11111111-1111-1111-1111-111111111111, key: 00112233445566778899aabbccddeeff}\n"
	bothKeys   = pictureKey + "- {for: audio, id: 22222222-2222-2222-2222-222222222222, key: ffeeddccbbaa99887766554433221100}\n"
	// another sound key under the same id
	changedKey = pictureKey + "- {for: audio, id: 22222222-2222-2222-2222-222222222222, key: 00eeddccbbaa99887766554433221100}\n"
	otherKeys  = "keys:\n- {id: 33333333-3333-3333-3333-333333333333, key: 00112233445566778899aabbccddeeff}\n"
)

func encrypted(t testing.TB, spec media.Spec, scheme string) media.Spec {
	t.Helper()
	spec.Protection = &media.Protection{Scheme: scheme, Keys: "/keys.yaml"}
	return spec
}

func openWith(t testing.TB, spec media.Spec, set keys.Set, s media.Sink) *packager.Packager {
	t.Helper()
	p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{s}, Log: quiet(), Now: time.Now, Keys: set})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Abort)
	return p
}

// encrypt packages six seconds.
func encrypt(t testing.TB, scheme string, set keys.Set) *memory {
	t.Helper()
	video, audio := clip(t)
	s := newMemory()
	p := openWith(t, encrypted(t, twoSeconds(t), scheme), set, s)
	feed(t, p, "v", video, pictures(0, 150, 25, 1))
	feed(t, p, "a", audio, sounds(0, 282))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Two workers write the same objects, and what players read says how they are
// encrypted.
func TestEncryptedClip(t *testing.T) {
	for scheme, method := range map[string]string{"cbcs": "SAMPLE-AES,", "cenc": "SAMPLE-AES-CTR,"} {
		a, b := encrypt(t, scheme, keySet(t, bothKeys)), encrypt(t, scheme, keySet(t, bothKeys))
		if diff := cmp.Diff(a.objects, b.objects); diff != "" {
			t.Errorf("%s: two workers differ:\n%s", scheme, diff)
		}
		for _, c := range []struct {
			file, want string
			times      int
		}{
			{"v/media.m3u8", "#EXT-X-KEY:METHOD=" + method, 1},
			{"v/iframes.m3u8", "#EXT-X-KEY:METHOD=" + method, 1},
			{"a/media.m3u8", "#EXT-X-KEY:METHOD=" + method, 1},
			{"master.m3u8", "#EXT-X-SESSION-KEY:METHOD=" + method, 2},
			{"manifest.mpd", `cenc:default_KID="11111111-1111-1111-1111-111111111111"`, 1},
			{"manifest.mpd", `cenc:default_KID="22222222-2222-2222-2222-222222222222"`, 1},
			{"manifest.mpd", `value="` + scheme + `"`, 2},
		} {
			if got := strings.Count(a.text(c.file), c.want); got != c.times {
				t.Errorf("%s: %d × %s in %s, want %d:\n%s", scheme, got, c.want, c.file, c.times, a.text(c.file))
			}
		}
	}
}

// A successor with the same keys continues; with others it would make what is
// listed unplayable, and refuses.
func TestResumeEncrypted(t *testing.T) {
	for name, c := range map[string]struct {
		keys string
		want string
	}{
		"the same keys": {bothKeys, ""}, "other keys": {otherKeys, "keys of rendition"},
		"another key of the same id": {changedKey, "key 22222222-2222-2222-2222-222222222222 of rendition a is not the one"},
	} {
		t.Run(name, func(t *testing.T) {
			video, audio := clip(t)
			s := newMemory()
			first := openWith(t, encrypted(t, twoSeconds(t), "cbcs"), keySet(t, bothKeys), s)
			feed(t, first, "v", video, pictures(0, 100, 25, 1))
			feed(t, first, "a", audio, sounds(0, 208))
			if err := first.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			spec := encrypted(t, twoSeconds(t), "cbcs")
			spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 2
			next := openWith(t, spec, keySet(t, c.keys), s)
			feed(t, next, "v", video, pictures(100, 150, 25, 1))
			feed(t, next, "a", audio, sounds(188, 282))
			err := next.Finish(t.Context())
			if c.want != "" {
				me, typed := errors.AsType[*media.Error](err)
				if !typed || me.Retryable || !strings.Contains(me.Message, c.want) || me.Advice == "" {
					t.Errorf("%+v, want a refusal", err)
				}
				return
			}
			if m := list(t, s); err != nil || len(m.Segments) != 3 || m.Segments[2].Discontinuity || len(m.Keys) != 1 {
				t.Errorf("%v: %+v", err, m)
			}
		})
	}
}

func TestKeysThatDoNotServe(t *testing.T) {
	for want, text := range map[string]string{
		"rendition a":     pictureKey,
		"no DRM system":   bothKeys + "systems:\n- {name: fairplay}\n",
		"players of HLS ": bothKeys + "systems:\n- {id: 9a27dd82-fde2-4725-8cbc-4234aa06ec09, pssh: AAAA}\n",
	} {
		_, err := packager.New(packager.Options{Spec: encrypted(t, twoSeconds(t), "cbcs"), Sinks: []media.Sink{newMemory()}, Log: quiet(), Now: time.Now, Keys: keySet(t, text)})
		me, ok := errors.AsType[*media.Error](err)
		if !ok || !strings.Contains(me.Message, want) || me.Advice == "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
