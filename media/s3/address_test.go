package s3

import "testing"

func TestURL(t *testing.T) {
	minio, err := Endpoint("http://10.0.0.7:9000")
	if err != nil {
		t.Fatal(err)
	}
	if got := URL("live", "/derby/v/1.m4s", DefaultRegion, nil).String(); got != "https://live.s3.us-east-1.amazonaws.com/derby/v/1.m4s" {
		t.Error(got)
	}
	if got := URL("live.example", "/a b+c", "eu-north-1", nil).String(); got != "https://s3.eu-north-1.amazonaws.com/live.example/a%20b%2Bc" {
		t.Error(got)
	}
	if got := URL("live", "/derby", "x", minio).String(); got != "http://10.0.0.7:9000/live/derby" {
		t.Error(got)
	}
}

func TestWhatIsNoServer(t *testing.T) {
	for _, bad := range []string{"", "minio:9000", "ftp://minio", "https://user@minio", "https://minio/path", "https://minio/?a=b"} {
		if u, err := Endpoint(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, u)
		}
	}
}
