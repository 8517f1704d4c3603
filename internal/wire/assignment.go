package wire

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Spec reads an assignment in the words of the media engine.
func Spec(p *galav1.Assignment) (media.Spec, error) {
	spec, err := readSpec(p)
	if err != nil {
		return media.Spec{}, fmt.Errorf("assignment %q: %w", p.GetId(), err)
	}
	return spec, nil
}

func readSpec(p *galav1.Assignment) (media.Spec, error) {
	spec := media.Spec{
		Job: p.GetJob(), Assignment: p.GetId(), Epoch: p.GetEpoch(),
		Live:  p.GetKind() == galav1.JobKind_JOB_KIND_LIVE,
		Input: p.GetInput(),

		VideoTrack:  videoStream(p.GetSource()),
		AudioTracks: audioStreams(p.GetSource()),

		Resume:         p.GetResume(),
		FirstSegment:   p.GetResumeSegment(),
		Outputs:        outputs(p.GetOutputs()),
		WritesManifest: p.GetWritesManifest(),
		Window:         time.Duration(p.GetWindowSeconds()) * time.Second,
		Thumbnails:     Thumbnails(p.GetThumbnails()),
		MP4:            p.GetMp4(),
		Logos:          Logos(p.GetLogos()),
		Replica:        int(p.GetReplica()),
		Replicas:       int(p.GetReplicas()),
		Steering:       p.GetSteering(),
		Loss:           Loss(p.GetFailover()),
		Slate:          Slate(p.GetSlate()),
	}
	if p := p.GetProtection(); p != nil {
		spec.Protection = &media.Protection{Scheme: p.GetScheme(), Keys: p.GetKeys()}
	}
	if err := checkSpec(spec, p.GetKind()); err != nil {
		return spec, err
	}
	var err error
	if spec.Grid, err = Grid(p.GetGrid()); err != nil {
		return spec, err
	}
	if spec.Renditions, err = Renditions(p.GetRenditions()); err != nil {
		return spec, err
	}
	if err := checkTracks(spec, len(p.GetSource().GetText())); err != nil {
		return spec, err
	}
	if p.GetAnchor() == nil {
		return spec, nil
	}
	anchor, err := Anchor(p.GetAnchor())
	spec.Anchor = &anchor
	return spec, err
}

func checkSpec(s media.Spec, kind galav1.JobKind) error {
	switch {
	case s.Job == "" || s.Assignment == "":
		return fmt.Errorf("no job or assignment id: %w", ErrInvalid)
	case s.Epoch == 0:
		return fmt.Errorf("epoch 0 fences nothing: %w", ErrInvalid)
	case kind == galav1.JobKind_JOB_KIND_UNSPECIFIED:
		return fmt.Errorf("neither live nor vod: %w", ErrInvalid)
	case s.Input == "":
		return fmt.Errorf("no input: %w", ErrInvalid)
	case s.Thumbnails != nil && (s.Thumbnails.Every <= 0 || min(s.Thumbnails.Width, s.Thumbnails.Height, s.Thumbnails.Columns, s.Thumbnails.Rows) <= 0):
		return fmt.Errorf("thumbnails of no size: %w", ErrInvalid)
	case len(s.Outputs) == 0:
		return fmt.Errorf("no output: %w", ErrInvalid)
	}
	return nil
}

// checkTracks: every rendition is made from a track that the probe found.
func checkTracks(s media.Spec, texts int) error {
	if len(s.Renditions) == 0 {
		return fmt.Errorf("no rendition: %w", ErrInvalid)
	}
	for _, r := range s.Renditions {
		if r.Video != nil && r.Video.Picture != nil {
			for _, o := range r.Video.Picture.Overlays {
				if o.Logo != "" && s.Logos[o.Logo] == nil {
					return fmt.Errorf("rendition %q shows the logo %q, which is not there: %w", r.Name, o.Logo, ErrInvalid)
				}
			}
		}
		if r.Video != nil && s.VideoTrack < 0 {
			return fmt.Errorf("rendition %q wants a picture, the source has none: %w", r.Name, ErrInvalid)
		}
		if r.Audio != nil && (r.Audio.Track < 0 || r.Audio.Track >= len(s.AudioTracks)) {
			return fmt.Errorf("rendition %q wants audio track %d of %d: %w", r.Name, r.Audio.Track, len(s.AudioTracks), ErrInvalid)
		}
		if r.Text != nil && (r.Text.Track < 0 || r.Text.Track >= texts) {
			return fmt.Errorf("rendition %q wants text track %d of %d: %w", r.Name, r.Text.Track, texts, ErrInvalid)
		}
	}
	return nil
}

// videoStream is the stream index of the chosen track, -1 for none.
func videoStream(p *galav1.SourceInfo) int {
	if t := ChosenVideo(p); t != nil {
		return int(t.GetIndex())
	}
	return -1
}

// audioStreams are stream indexes in the order of SourceInfo.audio, so that
// ladders.Audio.Track indexes them.
func audioStreams(p *galav1.SourceInfo) []int {
	streams := make([]int, len(p.GetAudio()))
	for i, t := range p.GetAudio() {
		streams[i] = int(t.GetIndex())
	}
	return streams
}

func outputs(ps []*galav1.Output) []string {
	urls := make([]string, len(ps))
	for i, p := range ps {
		urls[i] = p.GetUrl()
	}
	return urls
}
