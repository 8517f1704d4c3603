package ladders

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: any text is either a ladder, which survives being written and
// read again and resolves without panic, or a list of problems with places.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("presets/*.yaml")
	for _, file := range append(files, "sample.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("name: \"no\"\naudio: [{name: \"1e3\", codec: opus, bitrate: 0.5M, languages: [no, sr-Latn]}]"))
	f.Add([]byte("name: &a b\n<<: *a\nvideo: !!set {}\n? x\n: y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse("fuzz.yaml", text)
		if err != nil {
			checkProblems(t, err)
			return
		}
		again, err := Parse("again.yaml", l.Marshal())
		if err != nil {
			t.Fatalf("%v\n%s", err, l.Marshal())
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Fatalf("-first +again\n%s\n%s", diff, l.Marshal())
		}
		for _, s := range sources() {
			for _, kind := range []Kind{Live, VOD} {
				checkResolved(t, l, s.source, kind)
			}
		}
	})
}

func checkProblems(t *testing.T, err error) {
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%T %v", err, err)
	}
	for _, p := range problems {
		if p.Line < 1 || p.Column < 1 || p.Message == "" {
			t.Fatalf("%+v", p)
		}
	}
}
