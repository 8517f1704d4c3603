package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/galafarm/gala/media/blob"
)

// The variables that Google's own libraries read.
const (
	googleFile     = "GOOGLE_APPLICATION_CREDENTIALS"
	googleEmulator = "STORAGE_EMULATOR_HOST"
)

// googleScope is all that reading and writing objects takes.
const googleScope = "https://www.googleapis.com/auth/devstorage.read_write"

// tokenPatience bounds one request for a token.
const tokenPatience = 20 * time.Second

// tokens are asked for once, and again shortly before they expire.
type tokens struct {
	mu     sync.Mutex
	source oauth2.TokenSource
}

// authorizeGoogle adds a bearer token. An emulator gets none, as from Google's own
// libraries.
func (s *Signer) authorizeGoogle(req *http.Request, u *url.URL) error {
	if blob.Anonymous(u) || os.Getenv(googleEmulator) != "" {
		return nil
	}
	token, err := s.google.token()
	if err != nil {
		return tokenError{withoutFile(err.Error()), mayPass(err)}
	}
	token.SetAuthHeader(req)
	return nil
}

// tokenError is why there is no token. Who asked tries again where it is temporary.
type tokenError struct {
	text   string
	passes bool
}

func (e tokenError) Error() string   { return e.text }
func (e tokenError) Temporary() bool { return e.passes }

// mayPass tells a server that cannot be reached, or is in trouble, from one that
// refuses.
func mayPass(err error) bool {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return answer.Response.StatusCode >= 500 || answer.Response.StatusCode == http.StatusTooManyRequests
	}
	_, unreachable := errors.AsType[*url.Error](err)
	// The library keeps of some such errors the words alone.
	return unreachable || strings.Contains(err.Error(), "cannot fetch token")
}

func (t *tokens) token() (*oauth2.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.source == nil {
		// It outlives the request that comes first.
		ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: tokenPatience})
		found, err := google.FindDefaultCredentials(ctx, googleScope)
		if err != nil {
			return nil, fmt.Errorf("find credentials for Google's buckets: %w", err)
		}
		t.source = found.TokenSource
	}
	token, err := t.source.Token()
	if err != nil {
		return nil, fmt.Errorf("get a token for Google's buckets: %w", plainly(err))
	}
	return token, nil
}

// answered is what a token server said instead of a token.
type answered struct {
	*oauth2.RetrieveError
	why string
}

func (a answered) Error() string { return "the server answered " + a.why }
func (a answered) Unwrap() error { return a.RetrieveError }

// plainly is err without the body of an answer, which is for programs (RFC 6749
// §5.2).
func plainly(err error) error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return err
	}
	var body struct {
		Error       string
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(answer.Body, &body) // without it the status says enough
	return answered{answer, strings.TrimSpace(strings.Join([]string{answer.Response.Status, body.Error, body.Description}, " "))}
}

// withoutFile names the variable where an error names the file of credentials.
func withoutFile(text string) string {
	if file := os.Getenv(googleFile); file != "" {
		return strings.ReplaceAll(text, file, "$"+googleFile)
	}
	return text
}
