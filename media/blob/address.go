// Package blob knows where objects in Google's and Azure's object storage are:
// how gs://bucket/key and azblob://container/key, and their options, become the
// address of a request.
//
// It must not know credentials, and opens nothing.
package blob

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/galafarm/gala/media/s3"
)

// The schemes, as gocloud.dev names them.
const (
	Google = "gs"
	Azure  = "azblob"
)

// AzureDomain is where the blobs of Azure's public cloud are.
const AzureDomain = "blob.core.windows.net"

// Is tells one of these schemes from any other.
func Is(scheme string) bool { return scheme == Google || scheme == Azure }

// Written says how an address of the scheme is written.
func Written(scheme string) string {
	if scheme == Azure {
		return "write it as azblob://container/key, with ?storage_account=… for another account than AZURE_STORAGE_ACCOUNT; the server is told by the agent's environment (AZURE_STORAGE_DOMAIN)"
	}
	return "write it as gs://bucket/key, without options; the server is told by the agent's environment (STORAGE_EMULATOR_HOST)"
}

var (
	buckets    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)
	containers = regexp.MustCompile(`^(\$root|\$web|[a-z0-9][a-z0-9-]{1,61}[a-z0-9])$`)
	accounts   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	domains    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?$`)
)

// IsAccount tells the name of a storage account from what must not become a part
// of a host's.
func IsAccount(s string) bool { return accounts.MatchString(s) }

// Check tells what is wrong with the bucket and the options of an address, nil
// for nothing.
//
// No option names a server: a bearer token and a shared access signature are good
// for whoever is sent them, and Azure's Shared Key does not sign the host.
func Check(u *url.URL) error {
	name, options := buckets, []string{"anonymous"}
	if u.Scheme == Azure {
		name, options = containers, []string{"anonymous", "storage_account"}
	}
	if u.User != nil || u.Port() != "" || !name.MatchString(u.Host) {
		return errors.New("it names no bucket: " + Written(u.Scheme))
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("its options cannot be read: " + Written(u.Scheme))
	}
	for option := range q {
		if !slices.Contains(options, option) {
			return fmt.Errorf("%s:// has no option %q: %s", u.Scheme, option, Written(u.Scheme))
		}
	}
	for _, account := range q["storage_account"] {
		if !IsAccount(account) {
			return fmt.Errorf("%q is the name of no storage account: it has 3 to 24 letters a-z and digits", account)
		}
	}
	return nil
}

// Account is the storage account that an address names, "" for that of the
// environment.
func Account(u *url.URL) string { return u.Query().Get("storage_account") }

// Anonymous tells an address that is asked for without credentials.
func Anonymous(u *url.URL) bool { return u.Query().Get("anonymous") == "true" }

// ErrServer: it is not the address of a server.
var ErrServer = errors.New("is not the address of a server: write it as host:port or https://host")

// GoogleServer is Google's own for "", or an emulator: host:port or its URL.
func GoogleServer(emulator string) (*url.URL, error) {
	if emulator == "" {
		return &url.URL{Scheme: "https", Host: "storage.googleapis.com", Path: "/"}, nil
	}
	if !strings.Contains(emulator, "://") {
		emulator = "http://" + emulator
	}
	u, err := s3.Endpoint(emulator)
	if err != nil {
		return nil, ErrServer
	}
	return u, nil
}

// AzureServer is where the containers of an account are. Domain is that of a
// cloud, "" for the public one, or of an emulator: that has the account in the
// path, as one has whose domain says that it is this machine.
func AzureServer(account, domain, protocol string, emulator bool) (*url.URL, error) {
	domain, protocol = cmp.Or(domain, AzureDomain), cmp.Or(protocol, "https")
	if !domains.MatchString(domain) || protocol != "http" && protocol != "https" {
		return nil, ErrServer
	}
	if emulator || strings.HasPrefix(domain, "127.0.0.1") || strings.HasPrefix(domain, "localhost") {
		return &url.URL{Scheme: protocol, Host: domain, Path: "/" + account + "/"}, nil
	}
	return &url.URL{Scheme: protocol, Host: account + "." + domain, Path: "/"}, nil
}

// URL is where an object is asked for at a server. path begins with a slash.
func URL(server *url.URL, bucket, path string) *url.URL {
	target := *server
	target.Path = server.Path + bucket + path
	target.RawPath = s3.Escape(target.Path)
	return &target
}
