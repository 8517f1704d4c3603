package reconcile_test

import (
	"testing"

	"github.com/galafarm/gala/scheduler/job"
)

// Pictures that anybody can look at are not made of a job that is encrypted.
func TestThumbnailsOfAnEncryptedJob(t *testing.T) {
	for encrypt, want := range map[string]bool{"": true, "cbcs": false, "cenc": false} {
		f := newFarm()
		f.attach("a1", 100_000_000, true)
		f.submit(job.VOD, "film", 0, "in", 1)
		j := f.jobs["film"]
		j.Spec.Encrypt = encrypt
		f.jobs["film"] = j
		f.answer("a1", nil)
		if j := f.jobs["film"]; !j.Placed() || (j.Thumbnails != nil) != want {
			t.Errorf("%q: thumbnails %v, placements %v", encrypt, j.Thumbnails, j.Placements())
		}
	}
}
