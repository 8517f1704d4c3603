package bucket

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// emulatorKey is the one that Microsoft publishes for its emulators.
const emulatorKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

// azure lets a signer see these credentials and nothing else.
func azure(t *testing.T, account, key, sas string) {
	t.Helper()
	for name, value := range map[string]string{azureAccount: account, azureKey: key, azureSAS: sas, azureDomain: "", azureProtocol: "", azureEmulator: ""} {
		t.Setenv(name, value)
	}
}

func address(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func request(t *testing.T, method, target string, header map[string]string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return req
}

// The examples of "Authorize with Shared Key", which publish what is signed and not
// the key that it is signed with.
func TestAzureSignsWhatTheManualSigns(t *testing.T) {
	get := request(t, http.MethodGet, "https://myaccount.blob.core.windows.net/mycontainer?comp=metadata&restype=container&timeout=20",
		map[string]string{"x-ms-version": "2015-02-21", "x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT"})
	const wantGet = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
	if got := toSign(get, "myaccount"); got != wantGet {
		t.Errorf("%q, want %q", got, wantGet)
	}
	put := request(t, http.MethodPut, "https://myaccount.blob.core.windows.net/mycontainer/hello.txt", map[string]string{
		"x-ms-version": "2015-02-21", "x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT", "x-ms-blob-type": "BlockBlob", "Content-Type": "text/plain; charset=UTF-8"})
	put.ContentLength = 11
	const wantPut = "PUT\n\n\n11\n\ntext/plain; charset=UTF-8\n\n\n\n\n\n\nx-ms-blob-type:BlockBlob\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer/hello.txt"
	if got := toSign(put, "myaccount"); got != wantPut {
		t.Errorf("%q, want %q", got, wantPut)
	}
	// By name, and not as lines: '-' sorts before ':'.
	odd := request(t, http.MethodGet, "https://h/c/b?a-b=2&a=3&a=1", map[string]string{"x-ms-a": " 1 ", "x-ms-a-b": "2"})
	if got := toSign(odd, "x"); !strings.HasSuffix(got, "\nx-ms-a:1\nx-ms-a-b:2\n/x/c/b\na:1,3\na-b:2") {
		t.Errorf("%q", got)
	}
}

// The signature is openssl's, of the string and with the emulators' key.
func TestAzureSharedKey(t *testing.T) {
	azure(t, "myaccount", emulatorKey, "")
	s := &Signer{now: func() time.Time { return time.Date(2015, 6, 26, 23, 39, 12, 0, time.UTC) }}
	u := address(t, "azblob://clips/a%20b+c.ts")
	place, err := s.Place(u)
	if err != nil || place.String() != "https://myaccount.blob.core.windows.net/clips/a%20b%2Bc.ts" {
		t.Fatal(place, err)
	}
	req := request(t, http.MethodGet, place.String(), map[string]string{"Range": "bytes=0-9", "If-Match": `"0x8D4"`})
	if err := s.Authorize(req, u); err != nil {
		t.Fatal(err)
	}
	const want = "SharedKey myaccount:UWaNbJ9hDho4/oPH7EMFj03m9duoLzwe+pCdWEfFS90="
	if got := req.Header.Get("Authorization"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAzureSAS(t *testing.T) {
	azure(t, "studio", emulatorKey, "?sv=2021-12-02&sp=r&sig=a%2Bb%3D")
	u := address(t, "azblob://clips/a.ts")
	req := request(t, http.MethodGet, "https://studio.blob.core.windows.net/clips/a.ts", nil)
	if err := (&Signer{}).Authorize(req, u); err != nil {
		t.Fatal(err)
	}
	if q := req.URL.Query(); q.Get("sig") != "a+b=" || q.Get("sp") != "r" || req.Header.Get("Authorization") != "" || req.Header.Get("X-Ms-Version") == "" {
		t.Errorf("%v, %v", req.URL, req.Header)
	}
}

func TestAzureAnonymous(t *testing.T) {
	azure(t, "studio", emulatorKey, "")
	u := address(t, "azblob://clips/a.ts?storage_account=elsewhere&anonymous=true")
	place, err := (&Signer{}).Place(u)
	if err != nil || place.Host != "elsewhere.blob.core.windows.net" {
		t.Fatal(place, err)
	}
	req := request(t, http.MethodGet, place.String(), nil)
	if err := (&Signer{}).Authorize(req, u); err != nil || req.Header.Get("Authorization") != "" || req.URL.RawQuery != "" {
		t.Errorf("%v, %v, %v", req.URL, req.Header, err)
	}
}

// What is wrong is told without what the variables hold.
func TestAzureRefusals(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]struct {
		account, key, sas string
		address, words    string
	}{
		"no account":      {"", emulatorKey, "", "azblob://clips/a", "AZURE_STORAGE_ACCOUNT"},
		"another account": {"studio", emulatorKey, "", "azblob://clips/a?storage_account=other", "another storage account"},
		"no key":          {"studio", "", "", "azblob://clips/a", "no credentials"},
		"no base64":       {"studio", secret + "!", "", "azblob://clips/a", "AZURE_STORAGE_KEY"},
		"no signature":    {"studio", "", "sv=" + secret, "azblob://clips/a", "AZURE_STORAGE_SAS_TOKEN"},
		"no query":        {"studio", "", "sig=" + secret + "%zz", "azblob://clips/a", "AZURE_STORAGE_SAS_TOKEN"},
		"no account name": {secret + ".evil.test/", emulatorKey, "", "azblob://clips/a", "AZURE_STORAGE_ACCOUNT"},
	} {
		azure(t, c.account, c.key, c.sas)
		s, u := &Signer{}, address(t, c.address)
		_, err := s.Place(u)
		if err == nil {
			err = s.Authorize(request(t, http.MethodGet, "https://h/c/b", nil), u)
		}
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
	azure(t, "studio", emulatorKey, "")
	t.Setenv(azureDomain, secret+"/path")
	if _, err := (&Signer{}).Place(address(t, "azblob://clips/a")); err == nil || !strings.Contains(err.Error(), azureDomain) || strings.Contains(err.Error(), secret) {
		t.Errorf("a domain that is none: %v", err)
	}
}
