package client

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"
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

// Growing is a SOURCE that is still being written, and is whole when it has not
// grown for so long; 0 leaves it as it is.
func Growing(s string, quiet time.Duration) (string, error) {
	if quiet == 0 {
		return s, nil
	}
	path, err := Absolute(s)
	if err != nil {
		return "", err
	}
	u := &url.URL{Scheme: "file", Path: path}
	if IsURL(s) {
		if u, err = url.Parse(s); err != nil {
			return "", fmt.Errorf("source %q: %w", s, err)
		}
	}
	options, err := url.ParseQuery(u.Fragment)
	if err != nil {
		return "", fmt.Errorf("source %q: options after '#': %w", s, err)
	}
	options.Set("growing", quiet.String())
	u.Fragment = options.Encode()
	return u.String(), nil
}

// IsURL tells an URL or the test card from a path.
func IsURL(s string) bool {
	return hasScheme.MatchString(s) || strings.HasPrefix(s, "testcard:")
}
