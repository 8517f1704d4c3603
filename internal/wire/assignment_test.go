package wire

import (
	"errors"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
	"github.com/google/go-cmp/cmp"
)

var grid25 = timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25}

// assignment is a valid one; tests spoil it.
func assignment() *galav1.Assignment {
	return &galav1.Assignment{
		Id: "a1", Job: "derby", Kind: galav1.JobKind_JOB_KIND_LIVE, Epoch: 3,
		Input: "/clips/derby.mp4",
		Source: &galav1.SourceInfo{
			Video: []*galav1.VideoTrack{
				{Index: 0, Codec: "mjpeg"},
				{Index: 2, Codec: "h264", Width: 1920, Height: 1080, Fps: &galav1.Rational{Num: 50, Den: 2}, ColorTransfer: "arib-std-b67"},
			},
			Audio:       []*galav1.AudioTrack{{Index: 1, Channels: 2, SampleRate: 48000, Language: "en"}, {Index: 4, Channels: 6, SampleRate: 48000, Language: "de"}},
			ChosenVideo: 1,
		},
		Grid:   GridProto(grid25),
		Anchor: AnchorProto(timeline.Anchor{Generation: 1, Source: 900, Base: timeline.Timebase{Num: 1, Den: 90000}, Frame: 12}),
		Renditions: RenditionProtos([]ladders.Rendition{
			{Name: "720p", Video: &ladders.Video{Width: 1280, Height: 720, Divisor: 1}},
			{Name: "german", Audio: &ladders.Audio{Codec: "aac", Track: 1}},
		}),
		Outputs: []*galav1.Output{{Url: "file:///srv/derby"}, {Url: "http://127.0.0.1:8080/origin/derby"}},
		Resume:  true, ResumeSegment: 7, WritesManifest: true, WindowSeconds: 900,
		Protection: &galav1.Protection{Scheme: "cbcs", Keys: "/keys.yaml"},
		Thumbnails: ThumbnailsProto(&tiles), Mp4: []string{"720p"}, Logos: []*galav1.Logo{{Name: "a.png", Png: []byte{1, 2}}},
	}
}

var tiles = ladders.Thumbnails{From: "720p", Width: 160, Height: 90, Every: 125, Columns: 5, Rows: 4}

func TestSpecSaysWhatTheAssignmentSays(t *testing.T) {
	got, err := Spec(assignment())
	if err != nil {
		t.Fatal(err)
	}
	want := media.Spec{
		Job: "derby", Assignment: "a1", Epoch: 3, Live: true, Input: "/clips/derby.mp4", Grid: grid25,
		Anchor: &timeline.Anchor{Generation: 1, Source: 900, Base: timeline.Timebase{Num: 1, Den: 90000}, Frame: 12},
		Renditions: []ladders.Rendition{
			{Name: "720p", Video: &ladders.Video{Width: 1280, Height: 720, Divisor: 1}},
			{Name: "german", Audio: &ladders.Audio{Codec: "aac", Track: 1}},
		},
		VideoTrack: 2, AudioTracks: []int{1, 4},
		Resume: true, FirstSegment: 7,
		Outputs:        []string{"file:///srv/derby", "http://127.0.0.1:8080/origin/derby"},
		WritesManifest: true, Window: 15 * time.Minute,
		Protection: &media.Protection{Scheme: "cbcs", Keys: "/keys.yaml"},
		Thumbnails: &tiles, MP4: []string{"720p"}, Logos: map[string][]byte{"a.png": {1, 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestSpecWithoutAnchorLetsThePipelinePropose(t *testing.T) {
	p := assignment()
	p.Anchor = nil
	spec, err := Spec(p)
	if err != nil || spec.Anchor != nil {
		t.Errorf("anchor %v, error %v; want neither", spec.Anchor, err)
	}
}

func TestSpecRefusesWhatCannotRun(t *testing.T) {
	spoil := map[string]func(*galav1.Assignment){
		"no id":                func(p *galav1.Assignment) { p.Id = "" },
		"no epoch":             func(p *galav1.Assignment) { p.Epoch = 0 },
		"no kind":              func(p *galav1.Assignment) { p.Kind = 0 },
		"no input":             func(p *galav1.Assignment) { p.Input = "" },
		"no output":            func(p *galav1.Assignment) { p.Outputs = nil },
		"no rendition":         func(p *galav1.Assignment) { p.Renditions = nil },
		"rendition of no kind": func(p *galav1.Assignment) { p.Renditions[0].Kind = nil },
		"picture from sound":   func(p *galav1.Assignment) { p.Source.ChosenVideo = -1 },
		"sound from no track":  func(p *galav1.Assignment) { p.Renditions[1].GetAudio().Track = 2 },
		"thumbnails of no size": func(p *galav1.Assignment) {
			p.Thumbnails = &galav1.Thumbnails{Width: 160, Height: 90, Columns: 5, Rows: 5}
		},
		"logo that is not there": func(p *galav1.Assignment) {
			p.Renditions[0].GetVideo().Picture = &galav1.PictureTreatment{Overlays: []*galav1.Overlay{{Logo: "b.png"}}}
		},
		"grid of no frames":     func(p *galav1.Assignment) { p.Grid.FramesPerGop = 0 },
		"frame of half a tick":  func(p *galav1.Assignment) { p.Grid.Timescale = 90 },
		"anchor of no timebase": func(p *galav1.Assignment) { p.Anchor.SourceTimebase = nil },
	}
	for name, fn := range spoil {
		t.Run(name, func(t *testing.T) {
			p := assignment()
			fn(p)
			if _, err := Spec(p); !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v, want ErrInvalid", err)
			}
		})
	}
}

func TestSourceReadsTheChosenTrack(t *testing.T) {
	got, err := Source(assignment().GetSource())
	if err != nil {
		t.Fatal(err)
	}
	want := ladders.Source{
		Video: &ladders.SourceVideo{Width: 1920, Height: 1080, Rate: timeline.Rate{Num: 25, Den: 1}, Range: ladders.HLG},
		Audio: []ladders.SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}, {Channels: 6, SampleRate: 48000, Language: "de"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
}

func TestSourceOfSoundAloneHasNoPicture(t *testing.T) {
	p := assignment().GetSource()
	p.ChosenVideo = -1
	if got, err := Source(p); err != nil || got.Video != nil {
		t.Errorf("video %v, error %v; want neither", got.Video, err)
	}
}
