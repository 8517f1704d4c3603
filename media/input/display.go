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
	if u, err := url.Parse(before); err == nil && u.User != nil {
		before = u.Redacted()
	}
	if !asks {
		return before
	}
	return before + "?" + masked(query)
}

// masked is a query without its passphrase, however it is written: one that
// cannot be read is not to be shown either. Nor are the signatures that give
// access to an object.
func masked(query string) string {
	options := strings.Split(query, "&")
	for i, option := range options {
		plain, err := url.QueryUnescape(option)
		if err != nil {
			plain = option
		}
		plain = strings.ToLower(plain)
		name, _, _ := strings.Cut(plain, "=")
		switch {
		case strings.Contains(plain, "passphrase"):
			options[i] = "passphrase=xxxxx"
		case name == "sig", strings.HasSuffix(name, "-signature"), strings.HasSuffix(name, "-security-token"):
			options[i] = name + "=xxxxx"
		}
	}
	return strings.Join(options, "&")
}
