package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/galafarm/gala/benchmarks/rehearsal"
)

// Stage is what a fault happens to.
type Stage string

// Stages.
const (
	// Alone is a farm of one machine (`gala up`) with one job.
	Alone Stage = ""
	// Hosts are two hosts in network namespaces, with a source that is sent to
	// both, so that the one holds what the other encodes.
	Hosts Stage = "hosts"
	// Replicas are two hosts and two runs of one job.
	Replicas Stage = "replicas"
	// Inputs are one host, and a job with a backup input that is sent beside the first.
	Inputs Stage = "inputs"
)

// Kind is a fault on a stage: "worker-kill", "hosts/host-cut", "replicas/host-cut".
type Kind struct {
	Stage Stage
	Fault rehearsal.Fault
}

// ParseKind reads one.
func ParseKind(text string) (k Kind, err error) {
	name := text
	if stage, rest, ok := strings.Cut(text, "/"); ok {
		k.Stage, name = Stage(stage), rest
		if k.Stage != Hosts && k.Stage != Replicas && k.Stage != Inputs {
			return k, fmt.Errorf("kind %q: the stages are %s, %s and %s", text, Hosts, Replicas, Inputs)
		}
	}
	k.Fault, err = rehearsal.FaultNamed(name)
	return k, err
}

func (k Kind) String() string { return kindOf(k.Stage, k.Fault.Name) }

func kindOf(stage Stage, fault string) string {
	if stage == Alone {
		return fault
	}
	return string(stage) + "/" + fault
}

// Kinds are those that are measured unless others are asked for: all that one
// machine has, and those that want hosts where there are some.
func Kinds(hosts bool) (all []string) {
	for _, f := range rehearsal.Faults() {
		if f.OfOneHost() {
			all = append(all, f.Name)
		}
	}
	if hosts {
		all = append(all, "inputs/source-switch", "hosts/host-cut", "hosts/host-cut-cold", "hosts/drain", "hosts/upgrade", "replicas/worker-kill", "replicas/worker-hang", "replicas/agent-kill", "replicas/host-cut")
	}
	return all
}

// bars are what a kind may cost; what is 0 or below is not bound, but missing
// segments always are.
type bars struct {
	missing                    int
	noticed, first, edge, back time.Duration
}

// barsOf a kind. The edge is three segments of the ladder where the issue is a
// process, and what the rehearsal allows otherwise.
func barsOf(kind string) bars {
	const segment = 2 * time.Second
	switch k, _ := ParseKind(kind); kind {
	case "worker-kill", "worker-hang":
		return bars{edge: 3 * segment}
	case "agent-kill":
		return bars{edge: 3 * segment, back: 2 * time.Second}
	case "hosts/host-cut":
		return bars{noticed: 1500 * time.Millisecond, first: 5 * time.Second}
	case "hosts/host-cut-cold":
		return bars{missing: 4, noticed: 1500 * time.Millisecond, first: 8 * time.Second}
	default:
		return bars{edge: k.Fault.Bars.Edge}
	}
}
