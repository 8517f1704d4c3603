package bucket

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/media"
)

// accounts is a token server of Google's that checks what service accounts sign.
type accounts struct {
	*httptest.Server
	key    *rsa.PrivateKey
	asked  int
	status int
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a := &accounts{key: key, status: http.StatusOK}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(t, w, r) }))
	t.Cleanup(a.Close)
	return a
}

func (a *accounts) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	a.asked++
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
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(`{"access_token": "ticket", "token_type": "Bearer", "expires_in": 3600` + a.trouble() + `}`))
}

// trouble is what an answer says that has a token for nobody.
func (a *accounts) trouble() string {
	if a.status == http.StatusOK {
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
		if err := s.Authorize(req, u); err != nil || req.Header.Get("Authorization") != "Bearer ticket" {
			t.Errorf("%q, %v", req.Header.Get("Authorization"), err)
		}
	}
	if a.asked != 1 {
		t.Errorf("asked for %d tokens", a.asked)
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
		status  int
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
		a.status = c.status
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

func TestGoogleServerOfNobody(t *testing.T) {
	t.Setenv(googleEmulator, "http://user:hunter2@host/path")
	if _, err := (&Signer{}).Place(address(t, "gs://clips/a")); err == nil || !strings.Contains(err.Error(), googleEmulator) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
