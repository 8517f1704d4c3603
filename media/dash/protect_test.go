package dash_test

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/media/dash"
)

// An encrypted clip's sets say the scheme and the key's id first, then what each
// DRM system needs; sizes under two keys are two sets.
func TestProtection(t *testing.T) {
	m := clip(t)
	system := func(id string) dash.System {
		return dash.System{ID: id, Name: "name", PSSH: []byte("box"), License: "https://keys.example.com/l?a=1&b=2", Pro: "cHJv"}
	}
	plain := strings.Count(encode(t, m), "<AdaptationSet")
	for i := range m.Representations {
		m.Representations[i].Protection = &dash.Protection{Scheme: "cbcs", KeyID: "11111111-1111-1111-1111-111111111111",
			Systems: []dash.System{system("e2719d58-a985-b3c9-781a-b030af78d30e"), system("9a04f079-9840-4286-ab92-e65be0885f95")}}
	}
	got := encode(t, m)
	for _, want := range []string{
		`<ContentProtection xmlns:cenc="urn:mpeg:cenc:2013" cenc:default_KID="11111111-1111-1111-1111-111111111111" schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cbcs">`,
		`schemeIdUri="urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95" value="name"`,
		`>Ym94</cenc:pssh>`, `>cHJv</mspr:pro>`, `licenseType="EME-1.0">https://keys.example.com/l?a=1&amp;b=2</dashif:Laurl>`,
	} {
		if strings.Count(got, want) == 0 {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "<AdaptationSet"); n != plain {
		t.Errorf("%d sets under one key, want %d", n, plain)
	}
	other := *m.Representations[0].Protection
	other.KeyID = "22222222-2222-2222-2222-222222222222"
	m.Representations[0].Protection = &other
	if n := strings.Count(encode(t, m), "<AdaptationSet"); n != plain+1 {
		t.Errorf("%d sets under two keys, want %d", n, plain+1)
	}
	if _, err := dash.Parse([]byte(got)); err != nil {
		t.Errorf("not read back: %v", err)
	}
}
