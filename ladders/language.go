package ladders

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

const unknownLanguage = "und"

// canonicalLanguage is s as BCP 47 ("ger" and "deu" are "de"), "und" for what
// is no language.
func canonicalLanguage(s string) string {
	tag, err := language.Parse(strings.TrimRight(s, "\x00 "))
	if err != nil || len(tag.String()) > 20 {
		return unknownLanguage
	}
	return tag.String()
}

// languageLabel is how speakers of the language call it; empty when unknown.
func languageLabel(tag string) string {
	t, err := language.Parse(tag)
	if err != nil || tag == unknownLanguage {
		return ""
	}
	return display.Self.Name(t)
}

// sameLanguage tells whether a wanted language covers a track's: en covers en-GB.
func sameLanguage(want, have string) bool {
	return want == have || strings.HasPrefix(have, want+"-")
}
