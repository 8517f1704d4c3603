package api

import (
	"net/url"
	"strings"
	"time"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// specOf reads a client's wish.
func specOf(p *galav1.JobSpec) job.Spec {
	return job.Spec{
		ID: p.GetId(), Kind: KindOf(p.GetKind()), Input: p.GetInput(), Backups: p.GetBackups(),
		Ladder: p.GetLadder(), LadderYAML: p.GetLadderYaml(), Destinations: p.GetDestinations(),
		CPU: cpuOf(p.GetCpu()), Redundancy: p.GetRedundancy(), Priority: p.GetPriority(),
		WindowSeconds: p.GetWindowSeconds(), Encrypt: p.GetProtection().GetScheme(), Keys: p.GetProtection().GetKeys(), MP4: p.GetMp4(),
	}
}

func specProto(s job.Spec) *galav1.JobSpec {
	destinations := make([]string, len(s.Destinations))
	for i, d := range s.Destinations {
		destinations[i] = public(d)
	}
	return &galav1.JobSpec{
		Id: s.ID, Kind: kindProto(s.Kind), Input: s.Input, Backups: s.Backups,
		Ladder: s.Ladder, LadderYaml: s.LadderYAML, Destinations: destinations,
		Cpu: cpuProto(s.CPU), Redundancy: s.Redundancy, Priority: s.Priority,
		WindowSeconds: s.WindowSeconds, Protection: protectionProto(s), Mp4: s.MP4,
	}
}

// protectionProto is nil for output in the clear.
func protectionProto(s job.Spec) *galav1.Protection {
	if s.Encrypt == "" {
		return nil
	}
	return &galav1.Protection{Scheme: s.Encrypt, Keys: s.Keys}
}

// KindOf reads a kind.
func KindOf(k galav1.JobKind) job.Kind {
	if k == galav1.JobKind_JOB_KIND_LIVE {
		return job.Live
	}
	return job.VOD
}

func kindProto(k job.Kind) galav1.JobKind {
	if k == job.Live {
		return galav1.JobKind_JOB_KIND_LIVE
	}
	return galav1.JobKind_JOB_KIND_VOD
}

func cpuOf(c galav1.CpuPolicy) job.CPUPolicy {
	if c == galav1.CpuPolicy_CPU_POLICY_UNSPECIFIED {
		return ""
	}
	return job.CPUPolicy(strings.ToLower(strings.TrimPrefix(c.String(), "CPU_POLICY_")))
}

func cpuProto(c job.CPUPolicy) galav1.CpuPolicy {
	return galav1.CpuPolicy(galav1.CpuPolicy_value["CPU_POLICY_"+strings.ToUpper(string(c))])
}

func stateOf(s galav1.JobState) job.State {
	return job.State(strings.ToLower(strings.TrimPrefix(s.String(), "JOB_STATE_")))
}

func stateProto(s job.State) galav1.JobState {
	return galav1.JobState(galav1.JobState_value["JOB_STATE_"+strings.ToUpper(string(s))])
}

func timeProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// public is an address without the name and password that writers need.
func public(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}

// Present is a job as clients see it: the record, and what the leases of its
// placements told since it was written.
func Present(j job.Job, leases []fleet.Lease) *galav1.Job {
	p := &galav1.Job{
		Spec: specProto(j.Spec), State: stateProto(j.State), Reason: j.Reason, Revision: j.Revision,
		CreatedAt: timeProto(j.Created), UpdatedAt: timeProto(j.Updated), EndedAt: timeProto(j.Ended),
		Source: sourceProto(j.Source), Attempts: j.Attempts, Notes: j.Notes,
		Thumbnails: wire.ThumbnailsProto(j.Thumbnails),
	}
	if j.Grid != nil {
		p.Grid = wire.GridProto(*j.Grid)
	}
	for _, a := range j.Anchors {
		p.Anchors = append(p.Anchors, wire.AnchorProto(a))
	}
	for _, r := range j.Renditions {
		p.Renditions = append(p.Renditions, renditionStatus(j, r, leases))
	}
	for _, pl := range j.Placements {
		p.Placements = append(p.Placements, &galav1.PlacementView{
			Assignment: pl.Assignment, Agent: pl.Agent, Device: pl.Device, Epoch: pl.Epoch, Reason: pl.Reason})
	}
	for _, o := range j.Outputs {
		p.Outputs = append(p.Outputs, strings.TrimSuffix(public(o.URL), "/")+"/master.m3u8")
	}
	for _, e := range j.Events {
		p.Events = append(p.Events, &galav1.JobEvent{Time: timeProto(e.Time), Kind: e.Kind, Cause: e.Cause, Effect: e.Effect})
	}
	if e := j.Error; e != nil {
		p.Error = &galav1.JobError{Code: e.Code, Message: e.Message, Advice: e.Advice, Retryable: e.Retryable}
	}
	p.ProgressPermille = progress(j, leases)
	return p
}

func renditionStatus(j job.Job, r ladders.Rendition, leases []fleet.Lease) *galav1.RenditionStatus {
	s := &galav1.RenditionStatus{Rendition: wire.RenditionProto(r), LastSegment: -1}
	if n, ok := j.Published[r.Name]; ok {
		s.LastSegment = n
	}
	if len(j.Placements) > 0 {
		s.Assignment = j.Placements[0].Assignment
	}
	t := j.Totals[r.Name]
	s.Frames, s.Segments, s.LateSegments, s.Bitrate = t.Frames, t.Segments, t.Late, t.Bitrate
	for _, l := range leases {
		for _, pr := range l.Status.Renditions {
			if pr.Name != r.Name {
				continue
			}
			if l.Outcome != nil {
				continue // counted in the totals
			}
			s.Frames, s.Fps, s.Speed, s.Bitrate = s.Frames+pr.Frames, pr.FPS, pr.Speed, pr.Bitrate
			s.LastSegment = max(s.LastSegment, pr.LastSegment)
			s.LastSegmentAt, s.Segments, s.LateSegments = timeProto(pr.LastSegmentAt), s.Segments+pr.Segments, s.LateSegments+pr.LateSegments
		}
	}
	return s
}

// progress of a VOD job: by what was published where no worker tells more.
func progress(j job.Job, leases []fleet.Lease) uint32 {
	switch {
	case j.Live():
		return 0
	case j.State == job.Done:
		return 1000
	case j.Source == nil || j.Source.DurationUS <= 0 || j.Grid == nil:
		return 0
	}
	done := int64(0)
	if n, ok := leastPublished(j); ok {
		done = j.Grid.TimeOf(j.Grid.FirstFrame(n + 1)).Microseconds()
	}
	for _, l := range leases {
		done = max(done, l.Status.SourceUS)
	}
	// 1000 says that it is done.
	return uint32(min(done*1000/j.Source.DurationUS, 999))
}

func leastPublished(j job.Job) (least int64, ok bool) {
	for i, r := range j.Renditions {
		n, have := j.Published[r.Name]
		if !have {
			return 0, false
		}
		if i == 0 || n < least {
			least = n
		}
	}
	return least, len(j.Renditions) > 0
}

// sourceProto reads back the probe's answer; an unreadable one is left out.
func sourceProto(s *job.Source) *galav1.SourceInfo {
	if s == nil {
		return nil
	}
	var p galav1.SourceInfo
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(s.Info, &p); err != nil {
		return nil
	}
	return &p
}

// SourceOf reads a probe's answer.
func SourceOf(p *galav1.SourceInfo) (*job.Source, error) {
	ladder, err := wire.Source(p)
	if err != nil {
		return nil, err
	}
	info, err := protojson.Marshal(p)
	if err != nil {
		return nil, err
	}
	return &job.Source{Info: info, Ladder: ladder, DurationUS: p.GetDurationUs(), Notes: p.GetNotes()}, nil
}
