package api

import (
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/blob"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/media/overlay"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/scheduler/job"
	"google.golang.org/grpc/codes"
)

// Rules are what a submit is held against beside the proto's own.
type Rules struct {
	Sources input.Rules
	// OriginURL is where jobs without a destination go.
	OriginURL string
}

// check refuses what can never work, and says where the output will be.
func (r Rules) check(s job.Spec) (outputs []job.Output, notes []string, err error) {
	for _, source := range append([]string{s.Input}, s.Backups...) {
		if err := r.Sources.Check(source); err != nil {
			return nil, nil, refusal(err)
		}
		if s.Kind == job.Live && input.Grows(source) {
			return nil, nil, invalid("GROWING", "submit the recording as a clip (gala vod queue --growing 30s), or leave #growing out", "source %s is a recording that grows, which a live job does not follow", input.Display(source))
		}
	}
	for _, source := range append([]string{s.Input}, s.Backups...) {
		if s.Redundancy > 1 && input.Pushed(source) {
			return nil, nil, invalid("REDUNDANCY", "submit it with redundancy 1, or let the farm fetch the source (an SRT listener, an HLS playlist, a multicast group)",
				"source %s is pushed to one host, and replicas run on several", input.Display(source))
		}
	}
	ladder, err := suited(s)
	if err != nil {
		return nil, nil, invalid("LADDER", "", "%v", err)
	}
	if err := overlay.CheckLogos(ladder, s.Logos); err != nil {
		return nil, nil, invalid("LOGO", "send the PNG files that the ladder's overlays name as the spec's logos, under those names; gala does", "ladder %s: %v", ladder.Name, err)
	}
	if err := checkMP4(s, ladder); err != nil {
		return nil, nil, err
	}
	if err := r.checkKeys(s, ladder); err != nil {
		return nil, nil, err
	}
	if s.Encrypt != "" && ladder.Thumbnails != nil {
		notes = append(notes, "thumbnails are left out: the job is encrypted")
	}
	if s.Redundancy > 1 && strings.HasPrefix(s.Input, "rtmp:") {
		notes = append(notes, "an RTMP source counts anew for every connection: the replicas are two ways to see it, and their segments are not the same frames")
	}
	if err := checkInputs(s); err != nil {
		return nil, nil, err
	}
	outputs, err = r.outputs(s)
	return outputs, notes, err
}

// checkKeys refuses an encryption that could not be done. The keys themselves
// are read where the worker runs.
func (r Rules) checkKeys(s job.Spec, l *ladders.Ladder) error {
	if s.Encrypt == "" {
		return nil
	}
	if err := keys.Check(s.Keys, r.Sources); err != nil {
		return refusal(err)
	}
	if err := keys.CheckLadder(l); err != nil {
		return invalid("NOT_ENCRYPTED", "take the rungs of AV1 out of the ladder, or submit them as a job of their own without --encrypt", "ladder %s: %v", l.Name, err)
	}
	if len(s.MP4) > 0 {
		return invalid("MP4", "leave --mp4 or --encrypt out: a file for each rung is made in the clear only", "an encrypted job makes no MP4 files")
	}
	return nil
}

// checkMP4: files are made of rungs that the ladder has.
func checkMP4(s job.Spec, l *ladders.Ladder) error {
	var names []string
	for _, r := range l.Video {
		names = append(names, r.Name)
	}
	for _, want := range s.MP4 {
		if want != job.AllRungs && !slices.Contains(names, want) {
			return invalid("MP4", "name video rungs of the ladder, or all: it has "+strings.Join(names, ", "), "no MP4 file can be made of %q: ladder %s has no such video rung", want, l.Name)
		}
	}
	return nil
}

// outputs are the trees that the job writes.
func (r Rules) outputs(s job.Spec) ([]job.Output, error) {
	if len(s.Destinations) == 0 {
		if r.OriginURL == "" {
			return nil, invalid("NO_ORIGIN", "name a destination with --to, or start the scheduler with --origin", "job %s names no destination and this farm has no origin of its own", s.ID)
		}
		return []job.Output{OwnOutput(r.OriginURL, s.ID)}, nil
	}
	var all []job.Output
	for _, d := range s.Destinations {
		tree, err := treeURL(d, s)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o job.Output) bool { return o.URL == tree }) {
			return nil, invalid("DESTINATION", "name each destination once", "destination %s is named twice", d)
		}
		all = append(all, job.Output{URL: tree})
	}
	return all, nil
}

// OwnOutput is a job's tree at the farm's own origin, which may be named with
// its /origin or without.
func OwnOutput(originURL, id string) job.Output {
	base := strings.TrimSuffix(strings.TrimSuffix(originURL, "/"), "/origin")
	return job.Output{URL: base + "/origin/" + id}
}

// treeURL is the job's tree below a destination, or the publishing point that it
// is.
func treeURL(dest string, s job.Spec) (string, error) {
	if filepath.IsAbs(dest) {
		return (&url.URL{Scheme: "file", Path: path.Join(filepath.ToSlash(dest), s.ID)}).String(), nil
	}
	u, err := url.Parse(dest)
	if err != nil {
		return "", invalid("DESTINATION", "give an absolute directory or an http(s) URL", "destination %s is no URL", dest)
	}
	switch u.Scheme {
	case "http", "https":
		tracks, err := publish.IsIngest(u)
		switch {
		case err != nil:
			return "", invalid("DESTINATION", "give ingest=cmaf, or leave it out", "destination %s: %v", address.Public(dest), err)
		case tracks && s.Kind != job.Live:
			return "", invalid("DESTINATION", "leave ingest=cmaf out: the clip is then put as objects", "destination %s: CMAF ingest is for live jobs", address.Public(dest))
		case tracks: // a publishing point is one programme's
			return dest, nil
		}
		return u.JoinPath(s.ID).String(), nil
	case "file":
		return u.JoinPath(s.ID).String(), nil
	case "s3":
		if err := publish.CheckBucket(u); err != nil {
			return "", invalid("DESTINATION", "write it as s3://bucket/folder?region=…&endpoint=https://host", "destination %s: %v", address.Public(dest), err)
		}
		return u.JoinPath(s.ID).String(), nil
	case blob.Google, blob.Azure:
		if err := publish.CheckBlob(u); err != nil {
			return "", invalid("DESTINATION", "write it as "+u.Scheme+"://bucket/folder", "destination %s: %v", address.Public(dest), err)
		}
		return u.JoinPath(s.ID).String(), nil
	}
	return "", problem{code: codes.Unimplemented, reason: "DESTINATION", message: "destinations of type " + u.Scheme + ": are not supported",
		advice: "give an absolute directory, an http(s) URL, s3://bucket/folder, gs://bucket/folder or azblob://container/folder"}.err()
}

// Ladder is the one that a spec names or holds.
func Ladder(s job.Spec) (*ladders.Ladder, error) {
	if s.LadderYAML != "" {
		name := s.Ladder
		if name == "" {
			name = "ladder.yaml"
		}
		return ladders.Parse(name, []byte(s.LadderYAML))
	}
	return ladders.Preset(s.Ladder)
}

// Resolve applies the ladder of a spec to its source.
func Resolve(s job.Spec, src job.Source) (*ladders.Resolved, error) {
	l, err := Ladder(s)
	if err != nil {
		return nil, err
	}
	return ladders.Resolve(l, src.Ladder, kind(s))
}

// suited is the ladder of a spec, or why jobs of its kind cannot have it, before
// any source is looked at.
func suited(s job.Spec) (*ladders.Ladder, error) {
	l, err := Ladder(s)
	if err != nil {
		return nil, err
	}
	return l, l.For(kind(s))
}

func kind(s job.Spec) ladders.Kind {
	if s.Kind == job.Live {
		return ladders.Live
	}
	return ladders.VOD
}
