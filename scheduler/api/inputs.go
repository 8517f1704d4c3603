package api

import (
	"context"
	"slices"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/overlay"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// SwitchInput implements gala.v1.Farm: it writes the wish down, and the reconciler
// carries it out.
func (f *Farm) SwitchInput(ctx context.Context, req *galav1.SwitchInputRequest) (*galav1.SwitchInputResponse, error) {
	to := int(req.GetInput())
	j, err := f.change(ctx, req.GetId(), func(j *job.Job) (bool, error) {
		switch {
		case !j.Live():
			return false, precondition("JOB_IS_VOD", "switch live jobs", "job %s reads one file", j.Spec.ID)
		case j.State.Ended():
			return false, precondition("JOB_ENDED", "submit it again under a new id", "job %s is %s", j.Spec.ID, j.State)
		case to > len(j.Spec.Backups):
			return false, precondition("NO_SUCH_INPUT", "name primary or one of its backups: gala live show lists them", "job %s has no input %s: it has %d backups", j.Spec.ID, media.InputName(to), len(j.Spec.Backups))
		}
		// A record that was made again may know of fewer orders than workers obeyed.
		number := j.Inputs.Order.Number
		for _, r := range j.Replicas {
			number = max(number, r.OnScreen.Obeyed)
		}
		j.Inputs.Order = job.InputOrder{Input: to, Number: number + 1}
		j.Record(f.Now(), "switch_requested", "the client asked", "to "+media.InputName(to))
		return true, nil
	})
	if err != nil {
		return nil, rpcError(err)
	}
	return &galav1.SwitchInputResponse{Job: f.Board.Show(j)}, nil
}

// checkInputs: an input can stand by only where it runs by itself.
func checkInputs(s job.Spec) error {
	if s.Kind == job.VOD && (s.Loss != (media.Loss{}) || s.Slate.Color+s.Slate.Text != "" || len(s.Slate.Image) > 0) {
		return invalid("SLATE", "leave slate and failover out", "a clip has no slate: it is retried from its one file")
	}
	if len(s.Slate.Image) > 0 {
		if _, err := overlay.ReadLogo(s.Slate.Image); err != nil {
			return invalid("SLATE", "give the slate a PNG file as for a logo", "slate: %v", err)
		}
	}
	if len(s.Backups) == 0 {
		return nil
	}
	inputs := append([]string{s.Input}, s.Backups...)
	for i, source := range inputs {
		if j := slices.IndexFunc(inputs[:i], func(other string) bool { return input.Collide(source, other) }); j >= 0 {
			return invalid("BACKUP", "give each input that is pushed a port of its own: a stream key alone does not tell them apart",
				"%s and %s are listened for at one address: %s and %s", media.InputName(j), media.InputName(i), input.Display(inputs[j]), input.Display(source))
		}
		if !input.Continuous(source) {
			return invalid("BACKUP", "give inputs that run by themselves (srt, rtmp, udp, rtp, a live playlist or manifest), or no backup",
				"a job with backups switches between live sources, and %s is none", input.Display(source))
		}
	}
	return nil
}

// addInputs tells a worker what it needs of its inputs.
func addInputs(a *galav1.Assignment, j job.Job, shown job.OnScreen) {
	if !j.Live() {
		return
	}
	a.Slate, a.Failover = wire.SlateProto(j.Spec.Slate), wire.LossProto(j.Spec.Loss)
	a.OnAir, a.Order, a.OrderObeyed, a.LagUs = uint32(shown.Input), orderProto(j.Inputs.Order), shown.Obeyed, shown.LagUS
	for i, url := range j.Spec.Backups {
		b := &galav1.BackupInput{Url: url}
		if all := j.AnchorsOf(i + 1); len(all) > 0 {
			b.Anchor = wire.AnchorProto(all[len(all)-1])
		}
		a.Backups = append(a.Backups, b)
	}
}

// orderProto is nil where nothing was ordered.
func orderProto(o job.InputOrder) *galav1.InputOrder {
	if o.Number == 0 {
		return nil
	}
	return &galav1.InputOrder{Input: uint32(o.Input), Number: o.Number}
}

// onAirView is the input that is on air, nil for jobs that have none of their own.
func onAirView(j job.Job, leases []fleet.Lease) *galav1.InputView {
	if !j.Live() || j.State.Ended() || !j.OnAir() {
		return nil
	}
	shown := j.Replicas[0].OnScreen // of a redundant job, what its first replica shows
	v := &galav1.InputView{Input: uint32(shown.Input), Name: media.InputName(shown.Input)}
	told := false
	for _, l := range leases {
		if s := l.Status.Source; s.Told && l.Outcome == nil && !told {
			told = true
			v.Input, v.Name, v.Lapse, v.Slate = uint32(s.Input), media.InputName(s.Input), s.Lapse, s.Slate
		}
	}
	if !told && len(j.Spec.Backups) == 0 {
		return nil
	}
	if slices.ContainsFunc(j.Replicas, func(r job.Replica) bool { return r.Placement != nil && j.Inputs.Order.Number > r.OnScreen.Obeyed }) {
		v.Pending = orderProto(j.Inputs.Order)
	}
	return v
}
