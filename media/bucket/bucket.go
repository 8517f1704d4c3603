// Package bucket signs requests that read and write objects in buckets, with the
// credentials that the environment has. For S3: AWS_ACCESS_KEY_ID and its kin, the
// shared files, a web identity, or the machine's own role. For Google: the file of
// GOOGLE_APPLICATION_CREDENTIALS, or the machine's own account. For Azure: a key or
// a shared access signature of AZURE_STORAGE_ACCOUNT.
//
// No error holds the value of a credential.
//
// It must not open anything but what credentials are read from; what may be
// read, and by which address, is for package input to know, and for package
// publish what is written.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Signer signs. The zero value is ready; credentials are looked for when the
// first request needs them, and renewed when they expire.
type Signer struct {
	mu  sync.Mutex
	cfg *aws.Config
	now func() time.Time // nil: the clock

	google tokens
}

// empty is the SHA-256 of the body that a read has.
const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Sign signs a request without a body for a region. It implements input.Signer.
func (s *Signer) Sign(req *http.Request, region string) error {
	return s.SignBody(req, region, empty)
}

// SignBody signs a request with a body that has this SHA-256, in hexadecimal, or
// that is named otherwise as S3 has it. It implements publish.Signer.
func (s *Signer) SignBody(req *http.Request, region, hash string) error {
	cfg, err := s.config(req.Context())
	if err != nil {
		return fmt.Errorf("read the settings for buckets: %w", err)
	}
	if cfg.Credentials == nil {
		return errors.New("no credentials for buckets in the environment")
	}
	creds, err := cfg.Credentials.Retrieve(req.Context())
	if err != nil {
		return fmt.Errorf("find credentials for buckets: %w", err)
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	// S3 escapes a path once, other services twice.
	once := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }
	return v4.NewSigner().SignHTTP(req.Context(), creds, req, hash, "s3", region, s.time(), once)
}

func (s *Signer) time() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// Region is the environment's, "" where it has none.
func (s *Signer) Region(ctx context.Context) string {
	cfg, err := s.config(ctx)
	if err != nil {
		return ""
	}
	return cfg.Region
}

func (s *Signer) config(ctx context.Context) (*aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		s.cfg = &cfg
	}
	return s.cfg, nil
}
