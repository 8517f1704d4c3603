package input

import (
	"net/url"
	"slices"
	"strings"
)

// Display is how an input is called in messages: no password, and no option but
// those known to be harmless.
func Display(input string) string {
	u, err := Parse(input)
	if err != nil {
		return displayText(input)
	}
	return display(u)
}

// DisplayURL is Display of an address that is read already.
func DisplayURL(u *url.URL) string { return display(u) }

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
	u, err := url.Parse(before)
	switch {
	case err != nil || u.Opaque != "":
		before = withoutUser(before, query)
	case u.User != nil:
		before = u.Redacted()
	}
	if !asks {
		return before
	}
	return before + "?" + masked(query)
}

// withoutUser cuts what may be a name and a password out of what cannot be read,
// wherever in them a '/', '#' or '?' stands.
func withoutUser(before, query string) string {
	scheme, _, found := strings.Cut(before, "://")
	if found {
		scheme += "://"
	} else {
		scheme = ""
	}
	switch at := strings.LastIndexByte(before, '@'); {
	case at >= 0:
		return scheme + "xxxxx" + before[at:]
	case strings.ContainsRune(query, '@'):
		return scheme + "xxxxx"
	}
	return before
}

// known are the options of sources that are no secret. Whatever else stands in a
// query, under whichever name, may give access to an object.
var known = []string{
	"region", "endpoint", "anonymous", "use_path_style", "storage_account", // of buckets
	"mode", "pbkeylen", "latency", "streamid", "interface", "source", "program", "video", "audio", // of live sources
	"size", "fps", "duration", // of the test card
}

// masked is a query with the values of all other options left out.
func masked(query string) string {
	if query == "" {
		return ""
	}
	options := strings.Split(query, "&")
	for i, option := range options {
		name, value, found := strings.Cut(option, "=")
		switch {
		case harmless(name, value):
		case !found, strings.Contains(name, "%"): // the name itself may be the secret
			options[i] = "xxxxx"
		default:
			options[i] = name + "=xxxxx"
		}
	}
	return strings.Join(options, "&")
}

// harmless: no option of ours has such a character in its value, while a server's
// address may have a password. Some servers take one in the stream's name, as
// read:name:user:password or #!::u=user,s=password.
func harmless(name, value string) bool {
	plain, err := url.QueryUnescape(value)
	secret := "@?;&="
	if name == "streamid" {
		secret += ":"
	}
	return err == nil && slices.Contains(known, name) && !strings.ContainsAny(plain, secret)
}
