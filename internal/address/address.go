// Package address tells where output goes in words that anyone may read.
//
// It must not know what is at an address, or open one.
package address

import (
	"net/url"
	"slices"
	"strings"
)

// open are the options of an address that are no secret; whatever else stands in
// its query may be a token.
var open = []string{"ingest", "endpoint", "region", "storage_account"}

// Public is an address without the name, the password and the tokens that
// writers need.
func Public(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	if u.User == nil && u.RawQuery == "" {
		return address
	}
	u.User = nil
	q := u.Query()
	for name := range q {
		if !slices.Contains(open, name) {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Below is the folder in a tree: its path grows, its options stay.
func Below(tree, folder string) string {
	if folder == "" {
		return tree
	}
	path, options := split(tree)
	return strings.TrimSuffix(path, "/") + "/" + folder + options
}

// Above is the tree that a folder lies in, where it is that folder's address.
func Above(tree, folder string) string {
	path, options := split(tree)
	return strings.TrimSuffix(path, "/"+folder) + options
}

// split takes the options off an address; a directory has none.
func split(tree string) (path, options string) {
	if i := strings.IndexByte(tree, '?'); i >= 0 && !strings.HasPrefix(tree, "/") {
		return tree[:i], tree[i:]
	}
	return tree, ""
}
