package input

import (
	"net/url"
	"strings"
)

// Display is how an input is called in messages: no password or passphrase.
func Display(input string) string {
	u, err := Parse(input)
	if err != nil {
		return displayText(input)
	}
	return display(u)
}

func display(u *url.URL) string {
	if u.Scheme == "file" {
		return u.Path
	}
	shown := *u
	shown.RawQuery = masked(u.RawQuery)
	return shown.Redacted()
}

// displayText is display for what may be no address.
func displayText(input string) string {
	before, query, asks := strings.Cut(input, "?")
	if !asks {
		return input
	}
	return before + "?" + masked(query)
}

// masked is a query without its passphrase, however it is written: one that
// cannot be read is not to be shown either.
func masked(query string) string {
	options := strings.Split(query, "&")
	for i, option := range options {
		plain, err := url.QueryUnescape(option)
		if err != nil {
			plain = option
		}
		if strings.Contains(strings.ToLower(plain), "passphrase") {
			options[i] = "passphrase=xxxxx"
		}
	}
	return strings.Join(options, "&")
}
