package api

import (
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
	"github.com/galafarm/gala/scheduler/reconcile"
)

func attachedOf(session fleet.Session, h *galav1.Hello) fleet.Attached {
	e := fleet.Attached{
		Session: session, Name: h.GetName(), Instance: h.GetInstance(), Version: h.GetVersion(), Labels: h.GetLabels(),
	}
	for _, d := range h.GetDevices() {
		e.Devices = append(e.Devices, deviceOf(d))
	}
	for _, l := range h.GetHeld() {
		held := fleet.Held{Assignment: l.GetAssignment(), Job: l.GetJob(), Epoch: l.GetEpoch(), Device: l.GetSpec().GetDevice()}
		if l.GetSpec() != nil {
			held.Spec = l.GetSpec()
		}
		e.Held = append(e.Held, held)
	}
	return e
}

func deviceOf(d *galav1.DeviceOffer) fleet.Device {
	return fleet.Device{
		ID: d.GetId(), Model: d.GetModel(), Role: d.GetRole(), RoleReason: d.GetRoleReason(), Encoders: d.GetEncoders(),
		PixelsPerSecond: d.GetEncodePixelsPerSecond(), CapacitySource: d.GetCapacitySource(),
		MaxSessions: int(d.GetMaxSessions()), MemoryBytes: d.GetMemoryBytes(),
	}
}

// eventOf reads what an agent says after its hello; nil for what is only for
// the session itself or not known.
func eventOf(agent string, session fleet.Session, m *galav1.AttachRequest) fleet.Event {
	switch m := m.GetMessage().(type) {
	case *galav1.AttachRequest_Beat:
		return fleet.Beat{Agent: agent, Session: session, Assignments: m.Beat.GetAssignments()}
	case *galav1.AttachRequest_Report:
		return reportOf(agent, session, m.Report)
	case *galav1.AttachRequest_Probe:
		return probedOf(agent, session, m.Probe)
	case *galav1.AttachRequest_Anchor:
		return proposalOf(agent, session, m.Anchor)
	case *galav1.AttachRequest_Telemetry:
		t := m.Telemetry
		return fleet.Heard{Agent: agent, Session: session, Telemetry: fleet.Telemetry{
			CPULoad: t.GetCpuLoad(), MemoryUsed: t.GetMemoryUsedBytes(), MemoryTotal: t.GetMemoryTotalBytes(), AgentCPUMicros: t.GetAgentCpuUs()}}
	}
	return nil
}

func reportOf(agent string, session fleet.Session, r *galav1.AssignmentReport) fleet.Event {
	e := fleet.Report{Agent: agent, Session: session, Assignment: r.GetAssignment(), Job: r.GetJob(), Epoch: r.GetEpoch()}
	status := r.GetStatus()
	if o := r.GetOutcome(); o != nil {
		e.Outcome = wire.Outcome(o)
		if status == nil {
			status = o.GetStatus()
		}
	}
	if status != nil {
		s := statusOf(status)
		e.Status = &s
	}
	return e
}

func statusOf(p *galav1.WorkerStatus) fleet.Status {
	s := fleet.Status{
		SourceUS: p.GetSourceUs(), FramesDecoded: p.GetFramesDecoded(), FramesDoubled: p.GetFramesDoubled(),
		FramesDropped: p.GetFramesDropped(), DecodeErrors: p.GetDecodeErrors(), Notes: p.GetNotes(), FirstSegment: p.GetFirstSegment(),
	}
	for _, r := range p.GetRenditions() {
		pr := fleet.Progress{
			Name: r.GetName(), Frames: r.GetFrames(), FPS: r.GetFps(), Speed: r.GetSpeed(), Bitrate: r.GetBitrate(),
			LastSegment: r.GetLastSegment(), Segments: r.GetSegments(), LateSegments: r.GetLateSegments(), Bytes: r.GetBytes(),
		}
		if at := r.GetLastSegmentAt(); at != nil {
			pr.LastSegmentAt = at.AsTime()
		}
		s.Renditions = append(s.Renditions, pr)
	}
	return s
}

func probedOf(agent string, session fleet.Session, r *galav1.ProbeResult) fleet.Event {
	e := fleet.Probed{Agent: agent, Session: session, ID: r.GetId()}
	if pe := r.GetError(); pe != nil {
		e.Err = &media.Error{Code: media.Code(pe.GetCode()), Message: pe.GetMessage(), Advice: pe.GetAdvice(), Retryable: pe.GetRetryable()}
		return e
	}
	source, err := SourceOf(r.GetSource())
	if err != nil {
		e.Err = &media.Error{Code: media.SourceError, Message: "the source cannot be used: " + err.Error(),
			Advice: "play it with ffprobe to see what it holds"}
		return e
	}
	e.Source = source
	return e
}

func proposalOf(agent string, session fleet.Session, p *galav1.AnchorProposal) fleet.Event {
	anchor, err := wire.Anchor(p.GetAnchor())
	if err != nil {
		return nil
	}
	return fleet.Proposal{Agent: agent, Session: session, Assignment: p.GetAssignment(), Job: p.GetJob(), Epoch: p.GetEpoch(), Anchor: anchor}
}

// Directive is what a plan sends to an agent, as its message; nil for what is
// none.
func Directive(j job.Job, s reconcile.Send, allowed []string) *galav1.AttachResponse {
	switch {
	case s.Start != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Start{
			Start: &galav1.StartAssignment{Assignment: assignmentProto(j, *s.Start, allowed)}}}
	case s.Stop != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Stop{Stop: &galav1.StopAssignment{
			Assignment: s.Stop.Assignment, Epoch: s.Stop.Epoch, Mode: galav1.StopMode(s.Stop.Mode), Reason: s.Stop.Reason}}}
	case s.Probe != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Probe{
			Probe: &galav1.ProbeRequest{Id: s.Probe.ID, Input: s.Probe.Input, AllowedSources: allowed, Job: j.Spec.ID, Kind: kindProto(j.Spec.Kind)}}}
	case s.Anchor != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Anchor{Anchor: &galav1.AnchorDecision{
			Assignment: s.Anchor.Assignment, Anchor: wire.AnchorProto(s.Anchor.Anchor)}}}
	}
	return nil
}

func assignmentProto(j job.Job, s reconcile.Start, allowed []string) *galav1.Assignment {
	a := &galav1.Assignment{
		Id: s.Placement.Assignment, Job: j.Spec.ID, Kind: kindProto(j.Spec.Kind),
		Epoch: s.Placement.Epoch, Attempt: s.Placement.Attempt,
		Input: j.Spec.Input, Source: sourceProto(j.Source), Renditions: wire.RenditionProtos(s.Renditions),
		Device: s.Placement.Device, Resume: s.Resume, ResumeSegment: s.ResumeSegment,
		WritesManifest: true, WindowSeconds: j.Spec.Effective().WindowSeconds, AllowedSources: allowed,
		Thumbnails: wire.ThumbnailsProto(j.Thumbnails), Mp4: j.MP4(),
		Protection: protectionProto(j.Spec),
	}
	if j.Grid != nil {
		a.Grid = wire.GridProto(*j.Grid)
	}
	if s.Anchor != nil {
		a.Anchor = wire.AnchorProto(*s.Anchor)
	}
	for _, o := range j.Outputs {
		a.Outputs = append(a.Outputs, &galav1.Output{Url: o.URL})
	}
	return a
}

// PresentAgent is an agent as people see it, with what is placed on it.
func PresentAgent(a *fleet.Agent, used reconcile.Used) *galav1.AgentView {
	p := &galav1.AgentView{
		Name: a.Name, Instance: a.Instance, Connected: a.Connected && !a.Lost, LastBeat: timeProto(a.LastBeat),
		Version: a.Version, Labels: a.Labels,
	}
	for _, d := range a.Devices {
		use := used[reconcile.Device{Agent: a.Name, ID: d.ID}]
		p.Devices = append(p.Devices, &galav1.DeviceView{
			Id: d.ID, Model: d.Model, Role: d.Role, RoleReason: d.RoleReason,
			LoadPermille: uint32(min(max(placement.Permille(use.Live+use.VOD, d.PixelsPerSecond), 0), 1000)),
		})
	}
	for _, l := range a.Held() {
		p.Assignments = append(p.Assignments, l.Assignment)
	}
	return p
}
