package client

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

var hasScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// Absolute is a SOURCE or DEST as the farm can use it: URLs and the test card
// as they are, paths absolute, because agents run in other directories. A file
// whose name looks like an URL is written as a path: ./name.
func Absolute(s string) (string, error) {
	if s == "" || IsURL(s) {
		return s, nil
	}
	path, err := filepath.Abs(s)
	if err != nil {
		return "", fmt.Errorf("path %q: %w", s, err)
	}
	return path, nil
}

// IsURL tells an URL or the test card from a path.
func IsURL(s string) bool {
	return hasScheme.MatchString(s) || strings.HasPrefix(s, "testcard:")
}
