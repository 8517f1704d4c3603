package bucket

import (
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/galafarm/gala/media/blob"
)

// Place is where the object or folder at a gs: or azblob: address is asked for:
// the environment says which server. It implements input.Signer and
// publish.Signer.
func (s *Signer) Place(u *url.URL) (*url.URL, error) {
	server, err := googleServer()
	if u.Scheme == blob.Azure {
		server, err = azureServer(u)
	}
	if err != nil {
		return nil, err
	}
	return blob.URL(server, u.Host, u.Path), nil
}

// Authorize readies a request for what is at such an address. The request's other
// headers have to be there already: they may be signed. It implements input.Signer
// and publish.Signer.
func (s *Signer) Authorize(req *http.Request, u *url.URL) error {
	if u.Scheme == blob.Azure {
		return s.authorizeAzure(req, u)
	}
	return s.authorizeGoogle(req, u)
}

func googleServer() (*url.URL, error) {
	server, err := blob.GoogleServer(os.Getenv(googleEmulator))
	if err != nil {
		return nil, fmt.Errorf("%s %w", googleEmulator, err)
	}
	return server, nil
}
