package input

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
)

// An object in Google's or Azure's storage is gs://bucket/key or
// azblob://container/key.
func parseBlob(u *url.URL) (*url.URL, error) {
	if err := checkObject(u, blob.Written(u.Scheme)); err != nil {
		return nil, err
	}
	if err := blob.Check(u); err != nil {
		return nil, refused(fmt.Sprintf("source %s cannot be read: %v", display(u), err), "correct the address")
	}
	return u, checkFragment(u)
}

// openBlob reads an object by the same reader as any other on the web, each
// request with its own token or signature.
func openBlob(ctx context.Context, u *url.URL, rules Rules) (*web, error) {
	if rules.Signer == nil {
		return nil, refused("source "+display(u)+" is in a bucket, and this program has no credentials", "give it to a farm, whose agents have")
	}
	target, err := rules.Signer.Place(u)
	if err != nil {
		return nil, notAuthorized(u, err)
	}
	if err := rules.checkPlace(u, target); err != nil {
		return nil, err
	}
	w := newWeb(ctx, target, display(u), Rules{})
	w.sign = func(req *http.Request) error {
		if err := rules.Signer.Authorize(req, u); err != nil {
			return notAuthorized(u, err)
		}
		return nil
	}
	// Where it leads may repeat a signature, so it is not told.
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return refused("source "+display(u)+" is redirected, which a bucket does not do", "check the variables of the agent's environment that name its server")
	}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// checkPlace holds the server of an account that an address names against the rules:
// the environment of who reads may have it elsewhere than Check, which does not know
// that, takes it to be. Its own account needs no rule.
func (r Rules) checkPlace(u, target *url.URL) error {
	if blob.Account(u) == "" {
		return nil
	}
	return r.Check((&url.URL{Scheme: target.Scheme, Host: target.Host, Path: "/"}).String())
}

func notAuthorized(u *url.URL, err error) error {
	credentials := "GOOGLE_APPLICATION_CREDENTIALS, or a machine with an account"
	if u.Scheme == blob.Azure {
		credentials = "AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
	}
	return &media.Error{Code: media.SourceError, Message: "open source " + display(u), Err: err, Retryable: media.MayPass(err),
		Advice: "give the agent credentials (" + credentials + "), or add anonymous=true for an object that is public"}
}
