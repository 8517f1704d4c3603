package bucket

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/galafarm/gala/media/blob"
)

// The variables that gocloud.dev reads, and most of them Azure's own tools.
const (
	azureAccount  = "AZURE_STORAGE_ACCOUNT"
	azureKey      = "AZURE_STORAGE_KEY"
	azureSAS      = "AZURE_STORAGE_SAS_TOKEN"
	azureDomain   = "AZURE_STORAGE_DOMAIN"
	azureProtocol = "AZURE_STORAGE_PROTOCOL"
	azureEmulator = "AZURE_STORAGE_IS_LOCAL_EMULATOR"
)

// azureVersion of the service's protocol: from 2019-12-12 on one PUT takes 5000 MiB.
const azureVersion = "2021-12-02"

func azureServer(u *url.URL) (*url.URL, error) {
	account := cmp.Or(blob.Account(u), os.Getenv(azureAccount))
	if !blob.IsAccount(account) {
		return nil, fmt.Errorf("%s does not name a storage account, and the address names none by storage_account=", azureAccount)
	}
	emulator, _ := strconv.ParseBool(os.Getenv(azureEmulator))
	server, err := blob.AzureServer(account, os.Getenv(azureDomain), os.Getenv(azureProtocol), emulator)
	if err != nil {
		return nil, fmt.Errorf("%s, with %s, %w", azureDomain, azureProtocol, err)
	}
	return server, nil
}

// authorizeAzure signs with the key of the account, or adds the signature that the
// environment has: the narrower right where it has both.
func (s *Signer) authorizeAzure(req *http.Request, u *url.URL) error {
	req.Header.Set("X-Ms-Version", azureVersion)
	if blob.Anonymous(u) {
		return nil
	}
	account := os.Getenv(azureAccount)
	if named := blob.Account(u); named != "" && named != account {
		return errors.New("the environment's credentials are those of another storage account")
	}
	key, sas := os.Getenv(azureKey), os.Getenv(azureSAS)
	switch {
	case sas != "":
		return addSAS(req, sas)
	case key != "":
		return s.sharedKey(req, account, key)
	}
	return errors.New("no credentials for Azure's containers in the environment")
}

func addSAS(req *http.Request, sas string) error {
	options, err := url.ParseQuery(strings.TrimPrefix(sas, "?"))
	if err != nil || options.Get("sig") == "" {
		return errors.New(azureSAS + " is no shared access signature: it begins with sv= and has a sig=")
	}
	req.URL.RawQuery = options.Encode()
	return nil
}

// sharedKey signs a request ("Authorize with Shared Key", of the Blob service).
func (s *Signer) sharedKey(req *http.Request, account, key string) error {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return errors.New(azureKey + " is no key of a storage account: it is base64")
	}
	req.Header.Set("X-Ms-Date", s.time().UTC().Format(http.TimeFormat))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(toSign(req, account)))
	req.Header.Set("Authorization", "SharedKey "+account+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// toSign is what of a request is signed: its verb, eleven headers, those that
// begin with x-ms-, and what is asked for. X-Ms-Date stands for Date.
func toSign(req *http.Request, account string) string {
	length := ""
	if req.ContentLength > 0 {
		length = strconv.FormatInt(req.ContentLength, 10)
	}
	h := req.Header
	lines := []string{req.Method, h.Get("Content-Encoding"), h.Get("Content-Language"), length, h.Get("Content-MD5"), h.Get("Content-Type"), "",
		h.Get("If-Modified-Since"), h.Get("If-Match"), h.Get("If-None-Match"), h.Get("If-Unmodified-Since"), h.Get("Range")}
	lines = append(lines, ownHeaders(h)...)
	lines = append(lines, "/"+account+req.URL.EscapedPath())
	return strings.Join(append(lines, parameters(req.URL.Query())...), "\n")
}

// ownHeaders are those of the service, each as name:value, by name.
func ownHeaders(h http.Header) []string {
	own := map[string][]string{}
	for name, values := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-ms-") {
			own[name] = values
		}
	}
	return byName(own)
}

// parameters of a query, each as name:values, by name.
func parameters(query url.Values) []string {
	all := map[string][]string{}
	for name, values := range query {
		all[strings.ToLower(name)] = slices.Sorted(slices.Values(values))
	}
	return byName(all)
}

func byName(all map[string][]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, name+":"+strings.TrimSpace(strings.Join(all[name], ",")))
	}
	return lines
}
