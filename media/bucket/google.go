package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/compute/metadata"
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

// early is how long before a token expires the next one is asked for, while it goes
// on being used until late before. A machine's server gives out the same token until
// 4 minutes are left, so Google's own libraries ask after that too.
const early, late = 225 * time.Second, 10 * time.Second

// A failure is everybody's for as long as tokenRest. A token that a server gives out
// with less than early left is used for sameRest before the server is asked again.
const tokenRest, sameRest = time.Second, 30 * time.Second

// tokens are asked for once for all who wait.
type tokens struct {
	mu     sync.Mutex
	token  *oauth2.Token // the newest, nil: none yet
	err    error         // of the last request
	again  time.Time     // not before, where it is not needed sooner
	asking *asking       // nil: no request is under way
}

// asking is a request for a token; what came of it is there when done is closed.
type asking struct {
	done  chan struct{}
	token *oauth2.Token
	err   error
}

// authorizeGoogle adds a bearer token. An emulator gets none, as from Google's own
// libraries.
func (s *Signer) authorizeGoogle(req *http.Request, u *url.URL) error {
	if blob.Anonymous(u) || os.Getenv(googleEmulator) != "" {
		return nil
	}
	token, err := s.google.get(req.Context(), s.time)
	if err != nil {
		return err
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

// get is a token that is good for a while, or why there is none: a tokenError, or the
// context's.
func (t *tokens) get(ctx context.Context, now func() time.Time) (*oauth2.Token, error) {
	t.mu.Lock()
	at := now()
	left := lasts(t.token, at)
	if left > early {
		defer t.mu.Unlock()
		return t.token, nil
	}
	if needed := left <= late && t.err == nil; t.asking == nil && (needed || !at.Before(t.again)) {
		t.asking = &asking{done: make(chan struct{})}
		go t.ask(t.asking, now)
	}
	token, err, asked := t.token, t.err, t.asking
	t.mu.Unlock()
	switch {
	case left > late:
		return token, nil
	case asked == nil:
		return nil, err
	}
	select {
	case <-asked.done:
		return asked.token, asked.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a token for Google's buckets: %w", ctx.Err())
	}
}

func lasts(token *oauth2.Token, at time.Time) time.Duration {
	switch {
	case token == nil:
		return 0
	case token.Expiry.IsZero(): // it does not expire
		return math.MaxInt64
	}
	return token.Expiry.Round(0).Sub(at) // by the wall's clock, which goes on while a machine sleeps
}

// ask ends within tokenPatience, whatever the library waits for.
func (t *tokens) ask(a *asking, now func() time.Time) {
	type found struct {
		token *oauth2.Token
		err   error
	}
	answer := make(chan found, 1)
	go func() {
		token, err := newToken()
		answer <- found{token, err}
	}()
	patience := time.NewTimer(tokenPatience)
	defer patience.Stop()
	select {
	case f := <-answer:
		a.token, a.err = f.token, f.err
	case <-patience.C:
		a.err = tokenError{fmt.Sprintf("get a token for Google's buckets: no answer within %v", tokenPatience), true}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking, t.err = nil, a.err
	if t.again = now().Add(tokenRest); a.err == nil {
		t.token, t.again = a.token, now().Add(sameRest)
	}
	close(a.done)
}

// newToken reads the credentials anew, for the library keeps a token of those that it
// has read until it expires.
func newToken() (*oauth2.Token, error) {
	// It outlives the request that comes first.
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: tokenPatience})
	found, err := google.FindDefaultCredentials(ctx, googleScope)
	if err != nil {
		return nil, tokenError{"find credentials for Google's buckets: " + withoutFile(err.Error()), false}
	}
	token, err := found.TokenSource.Token()
	if err != nil {
		return nil, tokenError{"get a token for Google's buckets: " + withoutFile(plainly(err)), mayPass(err)}
	}
	return token, nil
}

// mayPass tells a server that refuses from whatever else keeps a token away: of most
// of that the library keeps the words alone.
func mayPass(err error) bool {
	if _, none := errors.AsType[metadata.NotDefinedError](err); none { // 404: the machine has no account
		return false
	}
	code := 0
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil {
		code = answer.Response.StatusCode
	}
	if answer, ok := errors.AsType[*metadata.Error](err); ok {
		code = answer.Code
	}
	return code/100 != 4 || code == http.StatusTooManyRequests
}

// body is where a library's words go on with what a server answered.
var body = regexp.MustCompile(`(?s)(status code \d+|unable to retrieve AWS [a-z ]+[a-z]|\d{3} [A-Z][A-Za-z ]*)(:|\s+-|\s*\n).*`)

// plainly is an error's text without the body of an answer, which is for programs
// (RFC 6749 §5.2).
func plainly(err error) string {
	if answer, ok := errors.AsType[*metadata.Error](err); ok {
		return fmt.Sprintf("the machine's server answered %d %s", answer.Code, http.StatusText(answer.Code))
	}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || answer.Response == nil {
		return body.ReplaceAllString(err.Error(), "$1")
	}
	var said struct {
		Error       string
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(answer.Body, &said) // without it the status says enough
	return "the server answered " + strings.TrimSpace(strings.Join([]string{answer.Response.Status, said.Error, said.Description}, " "))
}

// withoutFile names the variable where an error names the file of credentials.
func withoutFile(text string) string {
	if file := os.Getenv(googleFile); file != "" {
		return strings.ReplaceAll(text, file, "$"+googleFile)
	}
	return text
}
