package api

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
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
		CPU: cpuOf(p.GetCpu()), Redundancy: p.GetRedundancy(), Priority: p.GetPriority(), Steering: p.GetSteering(),
		WindowSeconds: p.GetWindowSeconds(), Encrypt: p.GetProtection().GetScheme(), Keys: p.GetProtection().GetKeys(), MP4: p.GetMp4(),
		Logos: wire.Logos(p.GetLogos()), Loss: wire.Loss(p.GetFailover()), Slate: wire.Slate(p.GetSlate()),
	}
}

func specProto(s job.Spec) *galav1.JobSpec {
	destinations := make([]string, len(s.Destinations))
	for i, d := range s.Destinations {
		destinations[i] = address.Public(d)
	}
	return &galav1.JobSpec{
		Id: s.ID, Kind: kindProto(s.Kind), Input: s.Input, Backups: s.Backups,
		Ladder: s.Ladder, LadderYaml: s.LadderYAML, Destinations: destinations,
		Cpu: cpuProto(s.CPU), Redundancy: s.Redundancy, Priority: s.Priority, Steering: s.Steering,
		WindowSeconds: s.WindowSeconds, Protection: protectionProto(s), Mp4: s.MP4,
		Logos: namedLogos(s.Logos), Failover: wire.LossProto(s.Loss), Slate: wire.SlateProto(media.Slate{Color: s.Slate.Color, Text: s.Slate.Text}),
	}
}

// namedLogos tells logos by their hashes: whoever watches jobs need not get
// files again with every change.
func namedLogos(logos map[string][]byte) []*galav1.Logo {
	out := wire.LogoProtos(logos)
	for _, l := range out {
		l.Sha256 = fmt.Sprintf("%x", sha256.Sum256(l.Png))
		l.Png = nil
	}
	return out
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

// outputStatus is how one output fares: as the workers on it tell, and with what
// those before them lost. Of several replicas it is the one that fares worst there.
func outputStatus(j job.Job, i int, leases []fleet.Lease) *galav1.OutputStatus {
	s := &galav1.OutputStatus{Url: j.Outputs[i].Name(), LastSegment: -1}
	for _, r := range j.Replicas {
		if i < len(r.Takers) {
			s.Lost += r.Takers[i].Lost
		}
	}
	for _, l := range leases {
		if l.Outcome != nil || i >= len(l.Status.Outputs) {
			continue
		}
		now := l.Status.Outputs[i]
		s.Bytes += now.Bytes
		if s.Lost += now.Lost; galav1.OutputState(now.State) < s.State {
			continue
		}
		s.State, s.LastSegment, s.LastSegmentAt = galav1.OutputState(now.State), now.LastSegment, timeProto(now.LastSegmentAt)
		s.Behind, s.TroubleSince, s.Cause = now.Behind, timeProto(now.Since), now.Cause
	}
	return s
}

// playsAt is the address of an output's multivariant playlist.
func playsAt(o job.Output) string {
	u, err := url.Parse(o.Name())
	if err != nil {
		return o.Name()
	}
	return u.JoinPath("master.m3u8").String()
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
	p.Warm = j.Warm
	p.Renditions, p.Replicas = runs(j, leases)
	for _, pl := range j.Placements() {
		p.Placements = append(p.Placements, placementProto(pl))
	}
	for i, o := range j.Outputs {
		p.Outputs, p.OutputStates = append(p.Outputs, playsAt(o)), append(p.OutputStates, outputStatus(j, i, leases))
	}
	p.Events = eventsProto(j.Events)
	if e := j.Error; e != nil {
		p.Error = &galav1.JobError{Code: e.Code, Message: e.Message, Advice: e.Advice, Retryable: e.Retryable}
	}
	p.ProgressPermille = progress(j, leases)
	p.OnAir = onAirView(j, leases)
	return p
}

func placementProto(pl job.Placement) *galav1.PlacementView {
	return &galav1.PlacementView{Assignment: pl.Assignment, Agent: pl.Agent, Device: pl.Device, Epoch: pl.Epoch, Reason: pl.Reason}
}

// runs are the job's renditions, and those of each replica of a redundant one.
// Its own are then those of the replica that is furthest.
func runs(j job.Job, leases []fleet.Lease) ([]*galav1.RenditionStatus, []*galav1.ReplicaView) {
	if !j.Redundant() {
		var only job.Replica
		if len(j.Replicas) > 0 {
			only = j.Replicas[0]
		}
		return renditionsOf(j, only, leases), nil
	}
	var furthest []*galav1.RenditionStatus
	var views []*galav1.ReplicaView
	for _, r := range j.Replicas {
		v := &galav1.ReplicaView{Number: uint32(r.Number), State: stateProto(r.State), Reason: r.Reason, Renditions: renditionsOf(j, r, leases)}
		if r.Placement != nil {
			v.Placement = placementProto(*r.Placement)
		}
		for _, o := range j.Outputs {
			v.Outputs = append(v.Outputs, playsAt(job.Output{URL: address.Below(o.URL, r.Folder())}))
		}
		if furthest == nil || reached(v.Renditions) > reached(furthest) {
			furthest = v.Renditions
		}
		views = append(views, v)
	}
	return furthest, views
}

// reached is the newest segment that all renditions have, -1 for none.
func reached(renditions []*galav1.RenditionStatus) int64 {
	least := int64(math.MaxInt64)
	for _, r := range renditions {
		least = min(least, r.GetLastSegment())
	}
	if len(renditions) == 0 {
		return -1
	}
	return least
}

func renditionsOf(j job.Job, replica job.Replica, leases []fleet.Lease) (all []*galav1.RenditionStatus) {
	for _, r := range j.Renditions {
		all = append(all, renditionStatus(replica, r, leases))
	}
	return all
}

func renditionStatus(replica job.Replica, r ladders.Rendition, leases []fleet.Lease) *galav1.RenditionStatus {
	s := &galav1.RenditionStatus{Rendition: wire.RenditionProto(r), LastSegment: -1}
	if n, ok := replica.Published[r.Name]; ok {
		s.LastSegment = n
	}
	t := replica.Totals[r.Name]
	s.Frames, s.Segments, s.LateSegments, s.Bitrate = t.Frames, t.Segments, t.Late, t.Bitrate
	if replica.Placement == nil {
		return s
	}
	s.Assignment = replica.Placement.Assignment
	for _, l := range leases {
		if l.Assignment != s.Assignment || l.Outcome != nil { // counted in the totals
			continue
		}
		for _, pr := range l.Status.Renditions {
			if pr.Name != r.Name {
				continue
			}
			s.Frames, s.Fps, s.Speed, s.Bitrate = s.Frames+pr.Frames, pr.FPS, pr.Speed, pr.Bitrate
			s.LastSegment, s.Resting = max(s.LastSegment, pr.LastSegment), pr.Resting
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

// leastPublished of a job with one run.
func leastPublished(j job.Job) (least int64, ok bool) {
	if len(j.Replicas) == 0 {
		return 0, false
	}
	for i, r := range j.Renditions {
		n, have := j.Replicas[0].Published[r.Name]
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
