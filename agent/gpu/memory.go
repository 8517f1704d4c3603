package gpu

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// What the poller's goroutines write down; each takes mu for a moment.

func (p *Poller) opening() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Now()
}

// opened begins a conversation. GPUs of an earlier one that are not found any
// more, twice, are lost, with what was last known of them.
func (p *Poller) opened(d driver) {
	found, trouble := d.devices()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.since, p.state.Driver = d, time.Now(), d.version()
	p.tell(trouble)
	here := map[string]bool{}
	for _, f := range found {
		here[f.UUID] = true
		if old := p.device(f.UUID); old != nil {
			old.GPU, old.Index, old.Bus, old.Unlisted = f.GPU, f.Index, f.Bus, 0
			continue
		}
		p.state.Devices = append(p.state.Devices, f)
		p.log.Info("GPU found", "device", f.UUID, "model", f.Model, "driver", p.state.Driver)
	}
	for i := range p.state.Devices {
		if dev := &p.state.Devices[i]; !here[dev.UUID] {
			p.unlisted(dev)
		}
	}
}

func (p *Poller) unlisted(d *Device) {
	d.Unlisted++
	if d.Unlisted < lostUnlisted {
		p.worse(d, Stale, "the NVIDIA driver was asked for its GPUs anew and did not list this one; it is asked once more")
		return
	}
	p.worse(d, Lost, "the NVIDIA driver does not list this GPU any more; reset it or reboot this host")
}

// unsure says whether a GPU has been missing in one opening alone.
func (p *Poller) unsure() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.state.Devices {
		if d.Unlisted > 0 && d.Unlisted < lostUnlisted && d.State != Lost {
			return true
		}
	}
	return false
}

func (p *Poller) closed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.since = nil, time.Time{}
}

// unable says why there is no conversation: nothing is known of any GPU.
func (p *Poller) unable(trouble string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Time{}
	p.tell(trouble)
	for i := range p.state.Devices {
		p.worse(&p.state.Devices[i], Stale, trouble)
	}
}

// tell logs what is new; mu is held.
func (p *Poller) tell(trouble string) {
	if trouble != p.state.Trouble && trouble != "" {
		p.log.Info("no figures of GPUs, or not of all", "reason", trouble)
	}
	p.state.Trouble = trouble
}

// took is one reading of one GPU.
func (p *Poller) took(uuid string, r Reading, lasted time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.device(uuid)
	switch {
	case errors.Is(err, errLost):
		p.worse(d, Lost, err.Error())
	case err != nil:
		p.worse(d, Stale, err.Error())
	default:
		if d.State == Lost || d.State == Stale {
			p.log.Info("GPU is back", "device", uuid)
		}
		d.State, d.Trouble, d.Reading, d.At, d.Took = Well, "", r, time.Now(), lasted
	}
}

// worse is logged once; mu is held. What is lost stays lost until it is read.
func (p *Poller) worse(d *Device, s State, trouble string) {
	if d.State == Lost && s == Stale {
		return
	}
	if d.State != s || d.Trouble != trouble {
		p.log.Warn("GPU is not well", "device", d.UUID, "reason", trouble)
	}
	d.State, d.Trouble, d.Sessions = s, trouble, nil
}

// misses says whether a GPU is lost or expected, or the driver has told of fewer than
// there could be: one that was lost when it was asked for is not listed.
func (p *Poller) misses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Trouble != "" {
		return true
	}
	for _, d := range p.state.Devices {
		if d.State == Lost {
			return true
		}
	}
	return slices.ContainsFunc(p.missed, func(uuid string) bool { return p.device(uuid) == nil })
}

// happened is an XID. What was handed out keeps its own copies.
func (p *Poller) happened(uuid string, code uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.device(uuid)
	if d == nil {
		return
	}
	x := Xid{Code: code, At: time.Now()}
	d.Xids = appendXid(d.Xids, x)
	counts := maps.Clone(d.XidCounts)
	if counts == nil {
		counts = map[uint64]uint64{}
	}
	counts[code]++
	d.XidCounts = counts
	p.log.Warn("GPU reported an error", "device", uuid, "xid", code, "meaning", x.Words())
}

// device is found by UUID; mu is held.
func (p *Poller) device(uuid string) *Device {
	for i := range p.state.Devices {
		if p.state.Devices[i].UUID == uuid {
			return &p.state.Devices[i]
		}
	}
	return nil
}
