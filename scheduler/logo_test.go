package scheduler_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/galafarm/gala/media/overlay"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/protobuf/proto"
)

const withLogo = "name: branded\noverlays: [{logo: a.png}]\nvideo:\n  - {name: 360p, height: 360, codec: h264, bitrate: 800k}\n"

func square(t *testing.T, c color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		img.Set(i%4, i/4, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A logo comes with the job, goes to the agent that runs it, and is told by its
// hash to everyone else. Another picture under the same name is another job.
func TestLogosTravelWithTheJob(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	agent := newAgent(f, "a1").attach(f)
	logo := square(t, color.White)
	spec := live("match")
	spec.LadderYaml, spec.Logos = withLogo, []*galav1.Logo{{Name: "a.png", Png: logo}}
	got := f.submit(spec).GetSpec().GetLogos()
	if want := fmt.Sprintf("%x", sha256.Sum256(logo)); len(got) != 1 || got[0].GetSha256() != want || got[0].GetPng() != nil {
		t.Errorf("answered with %v, want the hash %s alone", got, want)
	}
	a := agent.started()
	if len(a.GetLogos()) != 1 || !bytes.Equal(a.GetLogos()[0].GetPng(), logo) {
		t.Errorf("the agent got %v", a.GetLogos())
	}
	if o := a.GetRenditions()[0].GetVideo().GetPicture().GetOverlays(); len(o) != 1 || o[0].GetLogo() != "a.png" {
		t.Errorf("overlays %v", o)
	}
	spec.Logos = []*galav1.Logo{{Name: "a.png", Png: square(t, color.Black)}}
	if _, err := f.client.SubmitLive(t.Context(), &galav1.SubmitLiveRequest{Spec: spec}); err == nil || !bytes.Contains([]byte(err.Error()), []byte("logos")) {
		t.Errorf("another logo under the same id: %v", err)
	}
}

// An agent that runs as many branded jobs as it may is heard when it tells a
// scheduler that forgot them.
func TestAnAgentWithManyLogosIsHeard(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	agent := newAgent(f, "a1").attach(f)
	spec := live("match")
	spec.LadderYaml, spec.Logos = withLogo, []*galav1.Logo{{Name: "a.png", Png: square(t, color.White)}}
	f.submit(spec)
	a := agent.started()
	agent.mu.Lock()
	for i := range 128 {
		more := proto.CloneOf(a)
		more.Id, more.Job, more.Logos[0].Png = fmt.Sprintf("m%d-1", i), fmt.Sprintf("m%d", i), make([]byte, overlay.MaxLogoBytes)
		agent.held[more.GetId()] = more
	}
	agent.mu.Unlock()
	forgot := newFarm(t, store.NewMemory())
	agent.attach(forgot)
	for known := 0; known < 128; {
		take(t, agent.acked, "beats to be answered")
		jobs, err := forgot.client.ListJobs(t.Context(), &galav1.ListJobsRequest{PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		known = len(jobs.GetJobs())
	}
}
