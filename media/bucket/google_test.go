package bucket

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2"

	"github.com/galafarm/gala/media"
)

// accounts is a token server of Google's that checks what service accounts sign.
type accounts struct {
	*httptest.Server
	key    *rsa.PrivateKey
	asked  atomic.Int32
	status atomic.Int32
	lasts  int         // seconds
	silent atomic.Bool // it takes requests and does not answer
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a := &accounts{key: key, lasts: 3600}
	a.status.Store(http.StatusOK)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(t, w, r) }))
	t.Cleanup(a.Close)
	return a
}

func (a *accounts) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	n := a.asked.Add(1)
	// RFC 7523 §2.1, RFC 7515 §3.1
	if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		t.Errorf("asked by %q", r.FormValue("grant_type"))
	}
	parts := strings.Split(r.FormValue("assertion"), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Error(err)
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&a.key.PublicKey, crypto.SHA256, hash[:], signature); err != nil {
		t.Error(err)
	}
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct{ Iss, Scope string }
	if err := json.Unmarshal(claims, &c); err != nil || c.Iss != "gala@studio.test" || !strings.HasSuffix(c.Scope, "/devstorage.read_write") {
		t.Errorf("%s, %v", claims, err)
	}
	w.Header().Set("Content-Type", "application/json")
	if a.silent.Load() {
		<-r.Context().Done()
		return
	}
	status := int(a.status.Load())
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"access_token": "ticket%d", "token_type": "Bearer", "expires_in": %d%s}`, n, a.lasts, trouble(status))
}

// trouble is what an answer says that has a token for nobody.
func trouble(status int) string {
	if status == http.StatusOK {
		return ""
	}
	return `, "error": "invalid_grant", "error_description": "clock skew"`
}

// file is what a service account's owner downloads.
func (a *accounts) file(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "gala@studio.test", "private_key_id": "1", "token_uri": a.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestGoogleToken(t *testing.T) {
	a := newAccounts(t)
	t.Setenv(googleEmulator, "")
	t.Setenv(googleFile, a.file(t))
	s, u := &Signer{}, address(t, "gs://clips/a%20b+c.ts")
	place, err := s.Place(u)
	if err != nil || place.String() != "https://storage.googleapis.com/clips/a%20b%2Bc.ts" {
		t.Fatal(place, err)
	}
	for range 3 {
		req := request(t, http.MethodGet, place.String(), nil)
		if err := s.Authorize(req, u); err != nil || req.Header.Get("Authorization") != "Bearer ticket1" {
			t.Errorf("%q, %v", req.Header.Get("Authorization"), err)
		}
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked for %d tokens", n)
	}
	req := request(t, http.MethodGet, place.String(), nil)
	if err := s.Authorize(req, address(t, "gs://clips/a?anonymous=true")); err != nil || req.Header.Get("Authorization") != "" {
		t.Errorf("anonymous: %q, %v", req.Header.Get("Authorization"), err)
	}
	// The token is Google's, and nobody's who only says that he is.
	t.Setenv(googleEmulator, "127.0.0.1:9023")
	if err := s.Authorize(req, u); err != nil || req.Header.Get("Authorization") != "" {
		t.Errorf("an emulator gets %q, %v", req.Header.Get("Authorization"), err)
	}
	if place, err = s.Place(u); err != nil || place.String() != "http://127.0.0.1:9023/clips/a%20b%2Bc.ts" {
		t.Error(place, err)
	}
}

// A server in trouble may be well the next time; one that refuses, and a file that
// is none, stay so. The file's name is told to nobody.
func TestGoogleWithoutToken(t *testing.T) {
	a := newAccounts(t)
	t.Setenv(googleEmulator, "")
	torn := filepath.Join(t.TempDir(), "torn.json")
	if err := os.WriteFile(torn, []byte(`{"type": "serv`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file    string
		status  int32
		mayPass bool
		words   string
	}{
		"in trouble":   {a.file(t), 503, true, "get a token"},
		"overloaded":   {a.file(t), 429, true, "get a token"},
		"refused":      {a.file(t), 400, false, "answered 400 Bad Request invalid_grant clock skew"},
		"no such file": {filepath.Join(t.TempDir(), "none.json"), 200, false, "$GOOGLE_APPLICATION_CREDENTIALS"},
		"torn":         {torn, 200, false, "find credentials"},
	} {
		t.Setenv(googleFile, c.file)
		a.status.Store(c.status)
		err := (&Signer{}).Authorize(request(t, http.MethodGet, "https://h/c/b", nil), address(t, "gs://clips/a"))
		if err == nil || media.MayPass(err) != c.mayPass || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), c.file) || strings.Contains(err.Error(), "ticket") {
			t.Errorf("%s: %v, may pass: %v", name, err, media.MayPass(err))
		}
	}
	t.Setenv(googleFile, a.file(t))
	a.Close()
	if err := (&Signer{}).Authorize(request(t, http.MethodGet, "https://h/c/b", nil), address(t, "gs://clips/a")); !media.MayPass(err) {
		t.Errorf("not reached: %v", err)
	}
}

// bearer is the token that a signer adds, "" with an error.
func bearer(ctx context.Context, t *testing.T, s *Signer) (string, error) {
	t.Helper()
	req := request(t, http.MethodGet, "https://h/c/b", nil).WithContext(ctx)
	err := s.Authorize(req, address(t, "gs://clips/a"))
	return strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), err
}

// clock is a signer's, which stands but for tests that move it.
type clock struct {
	start time.Time
	ahead atomic.Int64
}

func (c *clock) now() time.Time       { return c.start.Add(time.Duration(c.ahead.Load())) }
func (c *clock) set(at time.Duration) { c.ahead.Store(int64(at)) }

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("still not: " + what)
		}
	}
}

// A token is renewed minutes before it expires, while it goes on being used; a server
// in trouble then costs nobody anything until it does expire.
func TestGoogleTokenIsRenewedEarly(t *testing.T) {
	a, c := newAccounts(t), &clock{start: time.Now()}
	t.Setenv(googleEmulator, "")
	t.Setenv(googleFile, a.file(t))
	s := &Signer{now: c.now}
	want := func(ticket string) {
		t.Helper()
		if got, err := bearer(t.Context(), t, s); got != ticket || err != nil {
			t.Fatalf("%q, %v; want %s", got, err, ticket)
		}
	}
	want("ticket1")
	c.set(time.Hour - early - time.Minute)
	want("ticket1")
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked for %d tokens", n)
	}
	a.status.Store(503)
	c.set(time.Hour - early + time.Second)
	want("ticket1")
	eventually(t, "renewal fails", func() bool { s.google.mu.Lock(); defer s.google.mu.Unlock(); return s.google.err != nil })
	want("ticket1")
	a.status.Store(200)
	c.set(time.Hour - early + time.Minute)
	want("ticket1")
	eventually(t, "renewed", func() bool { got, err := bearer(t.Context(), t, s); return err == nil && got == "ticket3" })
	if n := a.asked.Load(); n != 3 {
		t.Errorf("asked for %d tokens", n)
	}
}

// A token that is about to expire as it comes serves who asked for it, and nobody else.
func TestGoogleTokensThatDoNotLast(t *testing.T) {
	a := newAccounts(t)
	a.lasts = int(late/time.Second) - 5
	t.Setenv(googleEmulator, "")
	t.Setenv(googleFile, a.file(t))
	s := &Signer{}
	for _, want := range []string{"ticket1", "ticket2", "ticket3"} {
		if got, err := bearer(t.Context(), t, s); got != want || err != nil {
			t.Errorf("%q, %v; want %s", got, err, want)
		}
	}
}

// All who wait for one answer share the request, and leave when they are cancelled.
func TestGoogleTokenServerIsSilent(t *testing.T) {
	a := newAccounts(t)
	a.silent.Store(true)
	t.Setenv(googleEmulator, "")
	t.Setenv(googleFile, a.file(t))
	s := &Signer{}
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error)
	for range 5 {
		go func() { _, err := bearer(ctx, t, s); answers <- err }()
	}
	eventually(t, "asked", func() bool { return a.asked.Load() > 0 })
	began := time.Now()
	cancel()
	for range 5 {
		if err := <-answers; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := bearer(ctx, t, s); !errors.Is(err, context.DeadlineExceeded) || !media.MayPass(err) {
		t.Errorf("too late: %v", err)
	}
	if took := time.Since(began); took > tokenPatience/2 {
		t.Errorf("it took %v", took)
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	a.CloseClientConnections()
}

// One failure is everybody's for a moment; then the server is asked again.
func TestGoogleTokenServerFailsOnce(t *testing.T) {
	a, c := newAccounts(t), &clock{start: time.Now()}
	a.status.Store(503)
	t.Setenv(googleEmulator, "")
	t.Setenv(googleFile, a.file(t))
	s := &Signer{now: c.now}
	for range 3 {
		if _, err := bearer(t.Context(), t, s); !media.MayPass(err) {
			t.Errorf("in trouble: %v", err)
		}
		a.status.Store(200)
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked %d times within %v", n, tokenRest)
	}
	c.set(tokenRest)
	if got, err := bearer(t.Context(), t, s); got != "ticket2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A machine's own server in trouble is not taken for a machine without an account.
func TestGoogleMachine(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("hunter2"))
	}))
	defer srv.Close()
	t.Setenv(googleEmulator, "")
	t.Setenv(googleFile, "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(srv.URL, "http://"))
	_, err := bearer(t.Context(), t, &Signer{})
	if !media.MayPass(err) || !strings.Contains(err.Error(), "503") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, may pass: %v", err, media.MayPass(err))
	}
}

// Which errors of the library pass, and that none of them tells the body of an answer.
func TestGoogleErrors(t *testing.T) {
	for _, c := range []struct {
		err     error
		mayPass bool
		text    string
	}{
		{&metadata.Error{Code: 503, Message: "hunter2"}, true, "the machine's server answered 503 Service Unavailable"},
		{&metadata.Error{Code: 429, Message: "hunter2"}, true, "the machine's server answered 429 Too Many Requests"},
		{&metadata.Error{Code: 403, Message: "hunter2"}, false, "the machine's server answered 403 Forbidden"},
		{metadata.NotDefinedError("instance/service-accounts/default/token"), false, `metadata: GCE metadata "instance/service-accounts/default/token" not defined`},
		{errors.New("oauth2/google: status code 503: {\"error\":\n \"hunter2\"}"), true, "oauth2/google: status code 503"},
		{errors.New("oauth2/google: unable to generate access token: Post \"https://h\": oauth2: cannot fetch token: 503 Service Unavailable\nResponse: hunter2"), true,
			"oauth2/google: unable to generate access token: Post \"https://h\": oauth2: cannot fetch token: 503 Service Unavailable"},
		{errors.New("oauth2/google/externalaccount: unable to retrieve AWS security credentials - hunter2"), true, "oauth2/google/externalaccount: unable to retrieve AWS security credentials"},
		{errors.New("oauth2: cannot fetch token: Post \"https://h:443\": connection refused"), true, "oauth2: cannot fetch token: Post \"https://h:443\": connection refused"},
		{fmt.Errorf("wrapped: %w", &oauth2.RetrieveError{Response: &http.Response{StatusCode: 500, Status: "500 Internal Server Error"}, Body: []byte("hunter2")}), true, "the server answered 500 Internal Server Error"},
		{&oauth2.RetrieveError{Response: &http.Response{StatusCode: 401, Status: "401 Unauthorized"}, Body: []byte("hunter2")}, false, "the server answered 401 Unauthorized"},
	} {
		if got := mayPass(c.err); got != c.mayPass {
			t.Errorf("%v may pass: %v", c.err, got)
		}
		if got := plainly(c.err); got != c.text {
			t.Errorf("%q, want %q", got, c.text)
		}
	}
}

func TestGoogleServerOfNobody(t *testing.T) {
	t.Setenv(googleEmulator, "http://user:hunter2@host/path")
	if _, err := (&Signer{}).Place(address(t, "gs://clips/a")); err == nil || !strings.Contains(err.Error(), googleEmulator) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
