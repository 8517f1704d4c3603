package api

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/galafarm/gala/internal/address"
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
		Sources: h.GetSources(),
	}
	e.Devices = devicesOf(h.GetDevices())
	for _, l := range h.GetHeld() {
		held := fleet.Held{Assignment: l.GetAssignment(), Job: l.GetJob(), Epoch: l.GetEpoch(), Device: l.GetSpec().GetDevice(), Sessions: sessionsOf(l.GetSpec())}
		if l.GetSpec() != nil {
			held.Spec = l.GetSpec()
		}
		e.Held = append(e.Held, held)
	}
	return e
}

// sessionsOf an assignment: one for each rendition of pictures.
func sessionsOf(a *galav1.Assignment) (n int) {
	for _, r := range a.GetRenditions() {
		if r.GetVideo() != nil {
			n++
		}
	}
	return n
}

func devicesOf(offers []*galav1.DeviceOffer) (all []fleet.Device) {
	for _, d := range offers {
		all = append(all, deviceOf(d))
	}
	return all
}

func deviceOf(d *galav1.DeviceOffer) fleet.Device {
	return fleet.Device{
		ID: d.GetId(), Model: d.GetModel(), Role: d.GetRole(), RoleReason: d.GetRoleReason(), Encoders: d.GetEncoders(),
		PixelsPerSecond: d.GetEncodePixelsPerSecond(), CapacitySource: d.GetCapacitySource(),
		MaxSessions: int(d.GetMaxSessions()), MemoryBytes: d.GetMemoryBytes(),
		SessionsShared: d.GetSessionsShared(), TenBit: d.GetTenBitEncoders(), Lost: d.GetLost(), Sizes: sizesOf(d.GetEncoderSizes()),
	}
}

func sizesOf(all []*galav1.EncoderSizes) map[string]media.PictureSizes {
	sizes := map[string]media.PictureSizes{}
	for _, z := range all {
		sizes[z.GetEncoder()] = media.PictureSizes{
			LeastWidth: int(z.GetLeastWidth()), LeastHeight: int(z.GetLeastHeight()), MostWidth: int(z.GetMostWidth()), MostHeight: int(z.GetMostHeight()),
		}
	}
	return sizes
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
	case *galav1.AttachRequest_Offers:
		return fleet.Offered{Agent: agent, Session: session, Devices: devicesOf(m.Offers.GetDevices())}
	case *galav1.AttachRequest_Telemetry:
		return fleet.Heard{Agent: agent, Session: session, Telemetry: telemetryOf(m.Telemetry)}
	}
	return nil
}

func telemetryOf(t *galav1.Telemetry) fleet.Telemetry {
	out := fleet.Telemetry{CPULoad: t.GetCpuLoad(), MemoryUsed: t.GetMemoryUsedBytes(), MemoryTotal: t.GetMemoryTotalBytes(), AgentCPUMicros: t.GetAgentCpuUs()}
	if len(t.GetGpus()) > 0 || t.GetGpuTrouble() != "" {
		out.GPUs = t
	}
	if len(t.GetSources()) > 0 {
		out.Sources = map[string]time.Duration{}
	}
	for _, s := range t.GetSources() {
		out.Sources[s.GetJob()] = time.Duration(s.GetKeptUs()) * time.Microsecond
	}
	return out
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
	if src := p.GetSource(); src != nil {
		s.Source = sourceStateOf(src)
	}
	s.Events = workerEventsOf(p.GetEvents())
	for _, r := range p.GetRenditions() {
		pr := fleet.Progress{
			Name: r.GetName(), Frames: r.GetFrames(), FPS: r.GetFps(), Speed: r.GetSpeed(), Bitrate: r.GetBitrate(),
			LastSegment: r.GetLastSegment(), Segments: r.GetSegments(), LateSegments: r.GetLateSegments(), Bytes: r.GetBytes(),
			PublishedFrames: r.GetPublishedFrames(), Resting: r.GetResting(),
		}
		if at := r.GetLastSegmentAt(); at != nil {
			pr.LastSegmentAt = at.AsTime()
		}
		s.Renditions = append(s.Renditions, pr)
	}
	for _, o := range p.GetOutputs() {
		out := fleet.Output{State: fleet.OutputState(o.GetState()), LastSegment: o.GetLastSegment(), Behind: o.GetBehind(), Lost: o.GetLost(), Bytes: o.GetBytes(), Cause: o.GetCause()}
		if at := o.GetLastSegmentAt(); at != nil {
			out.LastSegmentAt = at.AsTime()
		}
		if at := o.GetTroubleSince(); at != nil {
			out.Since = at.AsTime()
		}
		s.Outputs = append(s.Outputs, out)
	}
	return s
}

func sourceStateOf(p *galav1.SourceState) fleet.InputState {
	s := fleet.InputState{Told: true, Input: int(p.GetInput()), Lapse: p.GetLapse(), Slate: p.GetSlate(), LagUS: p.GetLagUs(), Obeyed: p.GetOrderObeyed()}
	s.Events = workerEventsOf(p.GetEvents())
	return s
}

func workerEventsOf(all []*galav1.WorkerEvent) (events []fleet.WorkerEvent) {
	for _, e := range all {
		events = append(events, fleet.WorkerEvent{Number: e.GetNumber(), At: e.GetAt().AsTime(), Kind: e.GetKind(), Cause: e.GetCause(), Effect: e.GetEffect()})
	}
	return events
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
	return fleet.Proposal{Agent: agent, Session: session, Assignment: p.GetAssignment(), Job: p.GetJob(), Epoch: p.GetEpoch(), Input: int(p.GetInput()), Anchor: anchor}
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
			Assignment: s.Stop.Assignment, Epoch: s.Stop.Epoch, Mode: stopModes[s.Stop.Mode], Reason: s.Stop.Reason}}}
	case s.Probe != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Probe{
			Probe: &galav1.ProbeRequest{Id: s.Probe.ID, Input: s.Probe.Input, AllowedSources: allowed, Job: j.Spec.ID, Kind: kindProto(j.Spec.Kind), InputNumber: uint32(s.Probe.Number)}}}
	case s.Hold != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Hold{Hold: &galav1.HoldSource{
			Job: j.Spec.ID, Input: j.Spec.Input, Backups: j.Spec.Backups, AllowedSources: allowed, Release: s.Hold.Release}}}
	case s.Anchor != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Anchor{Anchor: &galav1.AnchorDecision{
			Assignment: s.Anchor.Assignment, Input: uint32(s.Anchor.Input), Anchor: wire.AnchorProto(s.Anchor.Anchor)}}}
	case s.Switch != nil:
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Switch{Switch: &galav1.SwitchInput{
			Assignment: s.Switch.Assignment, Epoch: s.Switch.Epoch, Order: orderProto(s.Switch.Order)}}}
	}
	return nil
}

var stopModes = map[fleet.StopMode]galav1.StopMode{
	fleet.Leave: galav1.StopMode_STOP_MODE_LEAVE, fleet.Finish: galav1.StopMode_STOP_MODE_FINISH,
	fleet.Now: galav1.StopMode_STOP_MODE_NOW, fleet.Supersede: galav1.StopMode_STOP_MODE_SUPERSEDED,
}

func assignmentProto(j job.Job, s reconcile.Start, allowed []string) *galav1.Assignment {
	a := &galav1.Assignment{
		Id: s.Placement.Assignment, Job: j.Spec.ID, Kind: kindProto(j.Spec.Kind),
		Epoch: s.Placement.Epoch, Attempt: s.Placement.Attempt,
		Input: j.Spec.Input, Source: sourceProto(j.Source), Renditions: wire.RenditionProtos(s.Renditions),
		Device: s.Placement.Device, Resume: s.Resume, ResumeSegment: s.ResumeSegment,
		WritesManifest: true, WindowSeconds: j.Spec.Effective().WindowSeconds, AllowedSources: allowed,
		Thumbnails: wire.ThumbnailsProto(j.Thumbnails), Mp4: j.MP4(),
		Protection: protectionProto(j.Spec), Logos: wire.LogoProtos(j.Spec.Logos),
	}
	if j.Grid != nil {
		a.Grid = wire.GridProto(*j.Grid)
	}
	if s.Anchor != nil {
		a.Anchor = wire.AnchorProto(*s.Anchor)
	}
	if s.Replica > 0 {
		a.Replica, a.Replicas, a.Steering = uint32(s.Replica), uint32(len(j.Replicas)), j.Spec.Steering
	}
	addInputs(a, j, s.OnScreen)
	for _, o := range j.Outputs {
		a.Outputs = append(a.Outputs, &galav1.Output{Url: address.Below(o.URL, s.Folder)})
	}
	return a
}

// JobTree is the job's tree of a replica's.
func JobTree(tree string, replica uint32) string {
	if replica == 0 {
		return tree
	}
	return address.Above(tree, fmt.Sprintf("r%d", replica))
}

// PresentAgents are all agents as people see them, and those that have not been
// seen since this scheduler started and are cordoned.
func PresentAgents(v *fleet.View, used reconcile.Used) []*galav1.AgentView {
	agents := make([]*galav1.AgentView, 0, 8)
	for _, a := range v.Agents() {
		agents = append(agents, presentAgent(v, a, used))
	}
	for _, c := range v.Cordons() {
		if v.Agent(c.Agent) == nil && !slices.ContainsFunc(agents, func(a *galav1.AgentView) bool { return a.GetName() == c.Agent }) {
			agents = append(agents, &galav1.AgentView{Name: c.Agent, Cordon: cordonProto(v.CordonOf(c.Agent, ""))})
		}
	}
	slices.SortFunc(agents, func(a, b *galav1.AgentView) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return agents
}

// presentAgent is an agent as people see it, with what is placed on it.
func presentAgent(v *fleet.View, a *fleet.Agent, used reconcile.Used) *galav1.AgentView {
	p := &galav1.AgentView{
		Name: a.Name, Instance: a.Instance, Connected: a.Connected && !a.Lost, LastBeat: timeProto(a.LastBeat),
		Version: a.Version, Labels: a.Labels, Cordon: cordonProto(v.CordonOf(a.Name, "")),
		Sources: slices.Sorted(maps.Keys(a.Sources)),
	}
	for _, d := range a.Devices {
		use := used[reconcile.Device{Agent: a.Name, ID: d.ID}]
		p.Devices = append(p.Devices, &galav1.DeviceView{
			Id: d.ID, Model: d.Model, Role: d.Role, RoleReason: d.RoleReason,
			LoadPermille: uint32(min(max(placement.Permille(use.Live+use.VOD, d.PixelsPerSecond), 0), 1000)),
			Cordon:       cordonProto(v.CordonOf(a.Name, d.ID)), Placed: uint32(max(use.Placed, 0)),
			Encoders: d.Encoders, TenBitEncoders: d.TenBit, CapacitySource: d.CapacitySource,
			Sessions: uint32(max(use.Sessions, 0)), MaxSessions: uint32(d.MaxSessions), SessionsShared: d.SessionsShared,
			SessionsOfHost: uint32(max(used.Shared(a).Sessions, 0)),
		})
	}
	addFigures(p, a.Telemetry)
	for _, l := range a.Held() {
		p.Assignments = append(p.Assignments, l.Assignment)
	}
	return p
}

func cordonProto(c *fleet.Cordon) *galav1.CordonView {
	if c == nil {
		return nil
	}
	return &galav1.CordonView{Drain: c.Drain, Reason: c.Reason, Since: timeProto(c.Since)}
}
