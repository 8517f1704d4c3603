package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/timeline"
)

// Request is a job that wants a device for all its renditions: they share one
// decode.
type Request struct {
	Kind       job.Kind
	CPU        job.CPUPolicy
	Source     ladders.Source // that is decoded
	Renditions []ladders.Rendition
	Rate       timeline.Rate
	// Last is where it ran last, "agent/device", "" for nowhere.
	Last string
	// Failed are the places that have failed it of late, the newest last: they are
	// taken only when nothing else fits, and the newest last of all.
	Failed []string
	// FailedGPUs are how many GPUs may be the cause of that.
	FailedGPUs int
	// Holder is the agent that a pushed input comes to, "" where all can be had
	// anywhere, or where none was placed before: the sender knows no other host.
	// Pushed names that input.
	Holder, Pushed string
	// Warm is an agent that has the past of a live source in its ring, "" for none.
	Warm string
	// Back is where it ran until a moment ago, "agent/device", and need not have left;
	// "" for none.
	Back string
	// Apart are where the job's other replicas run: one failure never takes two.
	Apart []Neighbour
}

// Neighbour is where another replica of the job runs.
type Neighbour struct {
	Replica int
	Agent   string
	Labels  map[string]string
}

// Decision is where the job goes, or why nowhere.
type Decision struct {
	Chosen  *Choice
	Rejects []Reject
	// Taking is where a live job would fit if clips gave up encoder sessions: nil for
	// nowhere, and where a device is chosen without that.
	Taking *Choice
}

// Choice is a device that fits.
type Choice struct {
	Agent, Device string
	Renditions    []ladders.Rendition // with their encoders
	Cost          Cost
	// LoadPermille of the device once this runs on it.
	LoadPermille int64
	Reason       string
	// Lacks are the encoder sessions that clips must yet be told to give up.
	Lacks int
	// Limited: the device has no encoder sessions beyond a number.
	Limited  bool
	cordoned bool
}

// Reject says in one sentence why a device does not fit.
type Reject struct{ Agent, Device, Reason string }

// vodShare: a VOD job runs at whatever pace is left, so it asks for no more
// than a quarter of a device, however large its ladder is.
const vodShare = 4

// Place chooses the least loaded device that fits; a GPU before the CPU where
// the job allows both.
func Place(req Request, devices []Device) Decision {
	var d Decision
	var fits, taking []Choice
	for _, dev := range devices {
		choice, reject := consider(req, dev)
		switch {
		case reject == "":
			fits = append(fits, choice)
			continue
		case choice.Agent != "":
			taking = append(taking, choice)
		}
		d.Rejects = append(d.Rejects, Reject{dev.Agent, dev.ID, reject})
	}
	sortChoices(req, fits)
	sortChoices(req, taking)
	switch {
	case len(fits) > 0:
		d.Chosen = &fits[0]
		d.Chosen.Reason += why(req, *d.Chosen, len(fits))
		if !slices.ContainsFunc(fits, func(c Choice) bool { return !onCPU(c) }) {
			d.Chosen.Reason += inPlaceOf(req, *d.Chosen, d.Rejects)
		}
	case len(taking) > 0:
		d.Taking = &taking[0]
	}
	return d
}

// sortChoices puts the best first.
func sortChoices(req Request, all []Choice) {
	slices.SortStableFunc(all, func(a, b Choice) int {
		return cmp.Or(
			rank(req, a).compare(rank(req, b)),
			cmp.Compare(a.Lacks, b.Lacks),
			cmp.Compare(a.LoadPermille, b.LoadPermille),
			cmp.Compare(a.Agent, b.Agent),
			cmp.Compare(a.Device, b.Device))
	})
}

// inPlaceOf says why the processor has what a GPU was wanted for, "" where that is
// not so or there is no GPU: nobody finds out by the bill.
func inPlaceOf(req Request, c Choice, rejects []Reject) string {
	if !onCPU(c) || req.CPU == job.CPUOnly {
		return ""
	}
	gpus := slices.DeleteFunc(slices.Clone(rejects), func(r Reject) bool { return r.Device == "cpu" })
	switch len(gpus) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("; on no GPU: %s/%s %s", gpus[0].Agent, gpus[0].Device, gpus[0].Reason)
	}
	return fmt.Sprintf("; on no GPU: %s/%s %s, and %d more", gpus[0].Agent, gpus[0].Device, gpus[0].Reason, len(gpus)-1)
}

// why this one of n that fit.
func why(req Request, c Choice, n int) string {
	switch {
	case req.Holder == c.Agent:
		return fmt.Sprintf("; %s is pushed to this host", req.Pushed)
	case req.Holder != "":
		return fmt.Sprintf("; %s was pushed to %s, which cannot take it: its sender has to come here", req.Pushed, req.Holder)
	case req.Pushed != "":
		return fmt.Sprintf("; %s has to be pushed to this host", req.Pushed)
	case req.Back == c.place():
		return "; it ran here, and need not move any more"
	case req.Warm == c.Agent:
		return "; this host holds the source already"
	case n > 1 && slices.Contains(req.Failed, c.place()):
		return "; it failed here of late, and no better place fits"
	case n > 1 && onCPU(c) && req.CPU != job.CPUOnly && req.FailedGPUs > 0:
		return "; GPUs have failed it of late"
	case n > 1:
		return fmt.Sprintf("; least loaded of %d devices that fit", n)
	}
	return ""
}

// wishes order devices before their load does: each counts for more than all
// after it, and less is better.
type wishes [6]int

func rank(req Request, c Choice) wishes {
	return wishes{
		against(c.cordoned),
		against(req.Holder != "" && c.Agent != req.Holder),
		slices.Index(req.Failed, c.place()), // -1 where it has not failed
		against(req.Back != "" && c.place() != req.Back),
		against(onCPU(c) != (req.CPU == job.CPUOnly || doubtsGPUs(req))),
		against(req.Warm != "" && c.Agent != req.Warm),
	}
}

func against(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w wishes) compare(o wishes) int { return slices.Compare(w[:], o[:]) }

func onCPU(c Choice) bool { return c.Device == "cpu" }

// place is what a device is called in a request.
func (c Choice) place() string { return c.Agent + "/" + c.Device }

// doubtsGPUs: a job that two GPUs have failed is tried on the CPU before a third. On
// a host with many it would else be given up before the CPU's turn.
func doubtsGPUs(req Request) bool { return req.FailedGPUs >= 2 }

// consider is the one place where a device is judged. What lacks nothing but encoder
// sessions that clips hold is a choice all the same for a live job, beside the reason.
func consider(req Request, dev Device) (Choice, string) {
	if why := unfit(req, dev); why != "" {
		return Choice{}, why
	}
	rs, missing := equip(req.Renditions, dev)
	if missing != "" {
		return Choice{}, missing
	}
	cost := Ask(req, dev)
	used := dev.Used.Live
	if req.Kind == job.VOD {
		used += dev.Used.VOD
	}
	if used+cost.Pixels > dev.Capacity {
		return Choice{}, fmt.Sprintf("needs %s of %s, %s are free", Mega(cost.Pixels), Mega(dev.Capacity), Mega(max(dev.Capacity-used, 0)))
	}
	// A live job's own place is not taken from it by an estimate: it ran there.
	if why := dev.Host.busy(req.Kind, cost.Host); why != "" && !(req.Kind == job.Live && req.Last == dev.Agent+"/"+dev.ID) {
		return Choice{}, why
	}
	crowded := dev.crowded(req.Kind, cost.Sessions)
	lacks, yield := dev.lacks(cost.Sessions)
	if crowded != "" && !(req.Kind == job.Live && yield) {
		return Choice{}, crowded
	}
	after := dev.Used.Live + dev.Used.VOD + cost.Pixels
	load := Permille(after, dev.Capacity)
	return Choice{
		Agent: dev.Agent, Device: dev.ID, Renditions: rs, Cost: cost, LoadPermille: load, Lacks: lacks, Limited: dev.MaxSessions > 0 || dev.Full != nil, cordoned: dev.Cordoned != "",
		Reason: fmt.Sprintf("takes %s of %s%s, load %d.%d %%%s", Mega(cost.Pixels), Mega(dev.Capacity), model(dev), load/10, load%10, dev.Host.share(cost.Host)),
	}, crowded
}

// Ask is what a request reserves on a device.
func Ask(req Request, dev Device) Cost {
	cost := CostOf(req.Source, req.Renditions, req.Rate, dev.CPU)
	host := dev.Host.Capacity // one that does nothing else takes any job
	if req.Kind == job.VOD {
		cost.Pixels = min(cost.Pixels, dev.Capacity/vodShare)
		host /= vodShare
	}
	if dev.Host.Capacity > 0 {
		cost.Host = min(cost.Host, host)
	}
	return cost
}

// unfit is what rules a device out before any counting.
func unfit(req Request, dev Device) string {
	switch {
	case dev.Closed != "":
		return dev.Closed
	case dev.Cordoned != "" && !(req.Kind == job.Live && req.Last == dev.Agent+"/"+dev.ID):
		return dev.Cordoned
	case dev.Role != "encode":
		return strings.TrimSuffix(fmt.Sprintf("role is %s, not encode: %s", dev.Role, dev.RoleReason), ": ")
	case dev.CPU && req.CPU == job.CPUNever:
		return "the job's cpu policy is never"
	case !dev.CPU && req.CPU == job.CPUOnly:
		return "the job's cpu policy is only"
	case dev.Capacity <= 0:
		return "its agent states no encode capacity"
	}
	return together(req.Apart, dev)
}

// equip names the encoder of each video rendition.
func equip(renditions []ladders.Rendition, dev Device) ([]ladders.Rendition, string) {
	out := slices.Clone(renditions)
	for i, r := range out {
		if r.Video == nil {
			continue
		}
		v := *r.Video
		v.Encoder = encoderFor(v.Codec, dev.CPU)
		if !slices.Contains(dev.Encoders, v.Encoder) {
			return nil, fmt.Sprintf("has no encoder for %s (it offers %s)", v.Codec, cmp.Or(strings.Join(dev.Encoders, ", "), "none"))
		}
		if !dev.CPU && v.Depth == 10 && !slices.Contains(dev.TenBit, v.Encoder) {
			return nil, fmt.Sprintf("has no encoder for %s in 10 bits (it offers %s)", v.Codec, cmp.Or(strings.Join(dev.TenBit, ", "), "none"))
		}
		if sizes := dev.Sizes[v.Encoder].Refuses(v.Width, v.Height); sizes != "" {
			return nil, fmt.Sprintf("encodes %s %s, and %s has %dx%d", v.Codec, sizes, r.Name, v.Width, v.Height)
		}
		out[i].Video = &v
	}
	return out, ""
}

// Permille is used of capacity, 0 for a device without any.
func Permille(used, capacity int64) int64 {
	if capacity <= 0 {
		return 0
	}
	return used * 1000 / capacity
}

// Mega writes a pixel rate for people: "18.6 Mpx/s".
func Mega(pixels int64) string {
	tenths := (pixels + 50_000) / 100_000
	return fmt.Sprintf("%d.%d Mpx/s", tenths/10, tenths%10)
}

// Why is the decision against every device in one line, for a waiting job.
func (d Decision) Why() string {
	if len(d.Rejects) == 0 {
		return "no agent is attached: start gala-agent on a host"
	}
	const shown = 4
	var parts []string
	for i, r := range d.Rejects {
		if i == shown {
			parts = append(parts, fmt.Sprintf("and %d more devices", len(d.Rejects)-shown))
			break
		}
		parts = append(parts, fmt.Sprintf("%s/%s %s", r.Agent, r.Device, r.Reason))
	}
	return "no device has room: " + strings.Join(parts, "; ")
}
