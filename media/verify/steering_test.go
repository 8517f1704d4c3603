package verify

import (
	"maps"
	"strings"
	"testing"
)

const steeringFile = `{"VERSION":1,"TTL":4,"PATHWAY-PRIORITY":["r2","r1"]}`

// steered is a live tree as it stands above one replica, with a steering manifest;
// change breaks one of its files.
func steered(t *testing.T, change ...string) Report {
	t.Helper()
	f := onAir()
	f.text = func(p, s string) string {
		if p == masterName {
			s = strings.Replace(s, "-SEGMENTS\n", "-SEGMENTS\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"steering.json\",PATHWAY-ID=\"r1\"\n", 1)
			return strings.ReplaceAll(s, "RESOLUTION=", "PATHWAY-ID=\"r1\",RESOLUTION=")
		}
		return s
	}
	files := maps.Clone(f.files(t))
	files["steering.json"] = []byte(steeringFile)
	if len(change) == 3 {
		if !strings.Contains(string(files[change[0]]), change[1]) {
			t.Fatalf("%s has no %s:\n%s", change[0], change[1], files[change[0]])
		}
		files[change[0]] = []byte(strings.Replace(string(files[change[0]]), change[1], change[2], 1))
	}
	return judge(t, Options{Target: write(t, files)})
}

func TestSteering(t *testing.T) {
	if res, _ := steered(t).Result("steering"); res.Status != Pass {
		t.Errorf("a good one: %+v", res)
	}
	if res, _ := judge(t, Options{Target: write(t, onAir().files(t))}).Result("steering"); res.Status != NotApplicable {
		t.Errorf("without a steering server: %+v", res)
	}
	for name, change := range map[string][3]string{
		"a variant without a pathway":  {masterName, `PATHWAY-ID="r1",RESOLUTION`, `RESOLUTION`},
		"a pathway with a blank":       {masterName, `PATHWAY-ID="r1",RESOLUTION`, `PATHWAY-ID="r 1",RESOLUTION`},
		"a first pathway that is none": {masterName, `json",PATHWAY-ID="r1"`, `json",PATHWAY-ID="r9"`},
		"a server that is not there":   {masterName, `steering.json`, `other.json`},
		"no manifest":                  {"steering.json", `{`, `[`},
		"another version":              {"steering.json", `"VERSION":1`, `"VERSION":2`},
		"pathways that nobody has":     {"steering.json", `["r2","r1"]`, `["r3","r4"]`},
	} {
		if res, _ := steered(t, change[:]...).Result("steering"); res.Status != Fail {
			t.Errorf("%s: %+v", name, res)
		}
	}
}
