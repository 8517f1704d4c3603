package bucket

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// alone lets a signer see these credentials and nothing else.
func alone(t *testing.T, key, secret string) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_REGION", "eu-north-1")
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
}

// The example of the S3 manual: "Authenticating Requests: Using the
// Authorization Header", GET Object.
func TestSignsAsTheManualDoes(t *testing.T) {
	alone(t, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	s := &Signer{now: func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=0-9")
	if err := s.Sign(req, "us-east-1"); err != nil {
		t.Fatal(err)
	}
	const want = "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("Authorization is %q, want %s", got, want)
	}
	if r := s.Region(t.Context()); r != "eu-north-1" {
		t.Errorf("the environment's region is %q", r)
	}
}

func TestWithoutCredentials(t *testing.T) {
	alone(t, "", "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://b.s3.amazonaws.com/k", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Signer{}).Sign(req, "us-east-1"); err == nil || !strings.Contains(err.Error(), "credentials for buckets") {
		t.Errorf("error %v", err)
	}
}
