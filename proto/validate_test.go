package proto_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/proto"
)

// live is a spec that passes every rule; tests spoil it.
func live() *galav1.JobSpec {
	return &galav1.JobSpec{Id: "derby", Kind: galav1.JobKind_JOB_KIND_LIVE, Input: "srt://10.0.0.1:9000", Ladder: "hd"}
}

func vod() *galav1.JobSpec {
	return &galav1.JobSpec{Id: "derby-1", Kind: galav1.JobKind_JOB_KIND_VOD, Input: "/clips/derby.mp4", Ladder: "hd"}
}

func with(spec *galav1.JobSpec, change func(*galav1.JobSpec)) *galav1.JobSpec {
	change(spec)
	return spec
}

// jobRules has one good and one bad message for every rule of a job's spec.
var jobRules = []struct {
	rule      string
	good, bad *galav1.JobSpec
}{
	{"job_spec.id", with(live(), func(s *galav1.JobSpec) { s.Id = "2026_final.part-2" }), with(live(), func(s *galav1.JobSpec) { s.Id = "" })},
	{"job_spec.id", with(live(), func(s *galav1.JobSpec) { s.Id = strings.Repeat("a", 63) }), with(live(), func(s *galav1.JobSpec) { s.Id = strings.Repeat("a", 64) })},
	{"job_spec.id", live(), with(live(), func(s *galav1.JobSpec) { s.Id = "../etc" })},
	{"job_spec.id", live(), with(live(), func(s *galav1.JobSpec) { s.Id = "-rf" })},
	{"enum.not_in", live(), with(vod(), func(s *galav1.JobSpec) { s.Kind = 0 })},
	{"enum.defined_only", live(), with(vod(), func(s *galav1.JobSpec) { s.Kind = 9 })},
	{"job_spec.input", with(live(), func(s *galav1.JobSpec) { s.Input = "testcard:?fps=25&size=1280x720" }), with(live(), func(s *galav1.JobSpec) { s.Input = "" })},
	{"job_spec.input", with(vod(), func(s *galav1.JobSpec) { s.Input = "/a b/-x.mp4" }), with(vod(), func(s *galav1.JobSpec) { s.Input = "derby.mp4" })},
	{"string.max_len", live(), with(live(), func(s *galav1.JobSpec) { s.Input = "/" + strings.Repeat("a", 4096) })},
	{"job_spec.backup", with(live(), func(s *galav1.JobSpec) { s.Backups = []string{"/b.ts"} }), with(live(), func(s *galav1.JobSpec) { s.Backups = []string{"b.ts"} })},
	{"repeated.max_items", live(), with(live(), func(s *galav1.JobSpec) { s.Backups = slices.Repeat([]string{"/b"}, 9) })},
	{"job_spec.destination", with(vod(), func(s *galav1.JobSpec) { s.Destinations = []string{"/srv", "http://o/live", "s3://b/x"} }), with(vod(), func(s *galav1.JobSpec) { s.Destinations = []string{"out"} })},
	{"repeated.unique", vod(), with(vod(), func(s *galav1.JobSpec) { s.Destinations = []string{"/srv", "/srv"} })},
	{"job_spec.one_ladder", with(live(), func(s *galav1.JobSpec) { s.Ladder, s.LadderYaml = "", "name: x" }), with(live(), func(s *galav1.JobSpec) { s.Ladder = "" })},
	{"enum.defined_only", with(live(), func(s *galav1.JobSpec) { s.Cpu = galav1.CpuPolicy_CPU_POLICY_ONLY }), with(live(), func(s *galav1.JobSpec) { s.Cpu = 9 })},
	{"uint32.lte", with(live(), func(s *galav1.JobSpec) { s.Redundancy = 3 }), with(live(), func(s *galav1.JobSpec) { s.Redundancy = 4 })},
	{"job_spec.live_only", with(vod(), func(s *galav1.JobSpec) { s.Redundancy = 1 }), with(vod(), func(s *galav1.JobSpec) { s.Redundancy = 2 })},
	{"job_spec.live_only", vod(), with(vod(), func(s *galav1.JobSpec) { s.Backups = []string{"/b"} })},
	{"job_spec.vod_only", with(vod(), func(s *galav1.JobSpec) { s.Priority = 9 }), with(live(), func(s *galav1.JobSpec) { s.Priority = 9 })},
	{"int32.gte_lte", with(vod(), func(s *galav1.JobSpec) { s.Priority = -100 }), with(vod(), func(s *galav1.JobSpec) { s.Priority = 101 })},
	{"repeated.max_items", with(live(), func(s *galav1.JobSpec) { s.Logos = slices.Repeat([]*galav1.Logo{{Name: "a"}}, 4) }), with(live(), func(s *galav1.JobSpec) { s.Logos = slices.Repeat([]*galav1.Logo{{Name: "a"}}, 5) })},
	{"bytes.max_len", with(live(), func(s *galav1.JobSpec) { s.Logos = []*galav1.Logo{{Name: "a", Png: make([]byte, 262144)}} }), with(live(), func(s *galav1.JobSpec) { s.Logos = []*galav1.Logo{{Name: "a", Png: make([]byte, 262145)}} })},
	{"string.min_len", live(), with(live(), func(s *galav1.JobSpec) { s.Logos = []*galav1.Logo{{}} })},
	{"uint32.lte", with(live(), func(s *galav1.JobSpec) { s.WindowSeconds = 86400 }), with(live(), func(s *galav1.JobSpec) { s.WindowSeconds = 86401 })},
}

func TestJobRules(t *testing.T) {
	for _, r := range jobRules {
		if err := protovalidate.Validate(r.good); err != nil {
			t.Errorf("%s refuses %v: %v", r.rule, r.good, err)
		}
		wantRule(t, r.bad, r.rule)
	}
}

// messageRules has the rules of every other message.
var messageRules = []struct {
	rule      string
	good, bad proto.Message
}{
	{"required", &galav1.SubmitLiveRequest{Spec: live()}, &galav1.SubmitLiveRequest{}},
	{"submit_live.kind", &galav1.SubmitLiveRequest{Spec: live()}, &galav1.SubmitLiveRequest{Spec: vod()}},
	{"required", &galav1.QueueVodRequest{Spec: vod()}, &galav1.QueueVodRequest{}},
	{"queue_vod.kind", &galav1.QueueVodRequest{Spec: vod()}, &galav1.QueueVodRequest{Spec: live()}},
	{"string.min_len", &galav1.GetJobRequest{Id: "a"}, &galav1.GetJobRequest{}},
	{"string.min_len", &galav1.CancelJobRequest{Id: "a"}, &galav1.CancelJobRequest{}},
	{"string.max_len", &galav1.CancelJobRequest{Id: "a"}, &galav1.CancelJobRequest{Id: "a", Reason: strings.Repeat("a", 513)}},
	{"string.min_len", &galav1.RetryJobRequest{Id: "a"}, &galav1.RetryJobRequest{}},
	{"int32.gte_lte", &galav1.ListJobsRequest{PageSize: 1000}, &galav1.ListJobsRequest{PageSize: 1001}},
	{"enum.defined_only", &galav1.ListJobsRequest{}, &galav1.ListJobsRequest{Kind: 9}},
	{"enum.defined_only", &galav1.ListJobsRequest{}, &galav1.ListJobsRequest{States: []galav1.JobState{99}}},
	{"repeated.max_items", &galav1.WatchJobsRequest{}, &galav1.WatchJobsRequest{Ids: slices.Repeat([]string{"a"}, 1001)}},
	{"string.pattern", &galav1.Hello{Name: "gpu-7.rack2", Instance: "x"}, &galav1.Hello{Name: "gpu 7", Instance: "x"}},
	{"string.min_len", &galav1.Hello{Name: "gpu-7", Instance: "x"}, &galav1.Hello{Name: "gpu-7"}},
	{"string.min_len", &galav1.HeldLease{Assignment: "a", Epoch: 1}, &galav1.HeldLease{Epoch: 1}},
	{"uint64.gt", &galav1.HeldLease{Assignment: "a", Epoch: 1}, &galav1.HeldLease{Assignment: "a"}},
	{"string.min_len", &galav1.ProbeResult{Id: "p"}, &galav1.ProbeResult{}},
	{"string.min_len", proposal(), &galav1.AnchorProposal{Epoch: 1, Anchor: &galav1.Anchor{}}},
	{"uint64.gt", proposal(), &galav1.AnchorProposal{Assignment: "a", Anchor: &galav1.Anchor{}}},
	{"required", proposal(), &galav1.AnchorProposal{Assignment: "a", Epoch: 1}},
	{"string.min_len", &galav1.AssignmentReport{Assignment: "a", Epoch: 1}, &galav1.AssignmentReport{Epoch: 1}},
	{"uint64.gt", &galav1.AssignmentReport{Assignment: "a", Epoch: 1}, &galav1.AssignmentReport{Assignment: "a"}},
	{"int64.gt", &galav1.Rational{Num: 25, Den: 1}, &galav1.Rational{Num: 25}},
	{"int64.gt", &galav1.Grid{FramesPerGop: 50, GopsPerSegment: 1, Timescale: 25}, &galav1.Grid{GopsPerSegment: 1, Timescale: 25}},
	{"int64.gt", &galav1.Grid{FramesPerGop: 50, GopsPerSegment: 1, Timescale: 25}, &galav1.Grid{FramesPerGop: 50, Timescale: 25}},
	{"int64.gt", &galav1.Grid{FramesPerGop: 50, GopsPerSegment: 1, Timescale: 25}, &galav1.Grid{FramesPerGop: 50, GopsPerSegment: 1}},
	{"string.pattern", &galav1.Rendition{Name: "720p"}, &galav1.Rendition{Name: "../720p"}},
	{"int32.gt", &galav1.VideoRendition{FpsDivisor: 1}, &galav1.VideoRendition{}},
}

func proposal() *galav1.AnchorProposal {
	return &galav1.AnchorProposal{Assignment: "a", Epoch: 1, Anchor: &galav1.Anchor{}}
}

func TestMessageRules(t *testing.T) {
	for _, r := range messageRules {
		if err := protovalidate.Validate(r.good); err != nil {
			t.Errorf("%s refuses %T %v: %v", r.rule, r.good, r.good, err)
		}
		wantRule(t, r.bad, r.rule)
	}
}

// wantRule: msg breaks exactly this rule, once or more.
func wantRule(t *testing.T, msg proto.Message, rule string) {
	t.Helper()
	var broken *protovalidate.ValidationError
	if err := protovalidate.Validate(msg); !errors.As(err, &broken) {
		t.Errorf("%T %v: %v, want rule %s broken", msg, msg, err, rule)
		return
	}
	for _, v := range broken.Violations {
		if got := v.Proto.GetRuleId(); got != rule && rule != "repeated.max_items" {
			t.Errorf("%T %v breaks %s (%s), want %s", msg, msg, got, v.Proto.GetMessage(), rule)
		}
	}
}
