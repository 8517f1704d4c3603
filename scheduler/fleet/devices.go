package fleet

import (
	"fmt"
	"strings"
	"time"

	"github.com/galafarm/gala/media"
)

func (e Offered) apply(v *View, _ time.Time) []Effect {
	a := v.current(e.Agent, e.Session)
	if a == nil {
		return nil
	}
	what := difference(a.Devices, e.Devices)
	a.Devices = e.Devices
	return append([]Effect{Changed{a.Name, what}, Room{}}, a.touchAll()...)
}

// difference is what people are told of new offers, "" for nothing.
func difference(old, now []Device) string {
	roles := map[string]string{}
	for _, d := range old {
		roles[d.ID] = d.Role
	}
	var all []string
	for _, d := range now {
		if was, known := roles[d.ID]; !known || was != d.Role {
			all = append(all, fmt.Sprintf("device %s (%s) is %s: %s", d.ID, d.Model, d.Role, d.RoleReason))
		}
	}
	return strings.Join(all, "; ")
}

// refusalStands is how long a refused session is believed: other programs hold
// some, and end.
const refusalStands = time.Minute

// refuses notes that the device of a lease had no encoder session for it. Where
// the limit is the host's, all devices that share it are full.
func (a *Agent) refuses(l *Lease, now time.Time) {
	d := a.Device(l.Device)
	if l.Outcome.Code != media.SessionLimit || d == nil {
		return
	}
	if a.Full == nil {
		a.Full = map[string]Refusal{}
	}
	r := Refusal{At: now, Until: now.Add(refusalStands), Said: l.Outcome.Message}
	for _, other := range a.Leases {
		if other.Outcome == nil && a.Counts(d, other.Device) {
			r.Sessions += other.Sessions
		}
	}
	for _, other := range a.Devices {
		if a.Counts(d, other.ID) {
			a.Full[other.ID] = r
		}
	}
}

// Counts: sessions on the device id are in the limit of d.
func (a *Agent) Counts(d *Device, id string) bool {
	other := a.Device(id)
	return id == d.ID || d.SessionsShared && other != nil && other.SessionsShared
}

// forgives what was refused long enough ago.
func (a *Agent) forgives(now time.Time) (effects []Effect) {
	for id, r := range a.Full {
		if !now.Before(r.Until) {
			delete(a.Full, id)
			effects = []Effect{Changed{a.Name, ""}, Room{}}
		}
	}
	return effects
}
