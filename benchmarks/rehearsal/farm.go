package rehearsal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Farm is a farm's processes on this machine.
type Farm struct {
	address string
	port    int
}

// FindFarm takes the address at which the farm answers by gRPC. It errs when
// that is another machine's: processes are signalled here only.
func FindFarm(address string) (*Farm, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address of the farm: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("address of the farm %s: %w", address, err)
	}
	if !ours(host) {
		return nil, fmt.Errorf("the farm at %s is on another machine: rehearse where its scheduler runs", address)
	}
	f := &Farm{address: address, port: port}
	_, err = f.scheduler()
	return f, err
}

// ours tells whether a host is this machine.
func ours(host string) bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	named, err := net.LookupIP(host)
	if err != nil {
		return false
	}
	for _, ip := range named {
		if ip.IsLoopback() || slices.ContainsFunc(addresses, func(a net.Addr) bool { n, ok := a.(*net.IPNet); return ok && n.IP.Equal(ip) }) {
			return true
		}
	}
	return false
}

// scheduler is the process that answers: `gala up` or `gala scheduler`.
func (f *Farm) scheduler() (process, error) {
	p, err := listener(f.port)
	if err != nil {
		return p, fmt.Errorf("the farm at %s: %w", f.address, err)
	}
	if p.name != "gala" {
		return p, fmt.Errorf("%s (process %d) answers at %s, not gala", p.name, p.pid, f.address)
	}
	return p, nil
}

// agents are those that the scheduler started, and those that name its address.
func (f *Farm) agents() []process {
	farm, _ := f.scheduler() // away: those that name the address are left
	var found []process
	for _, p := range processes() {
		if p.name == "gala-agent" && (farm.pid > 0 && p.parent == farm.pid || f.names(p.flag("--scheduler"))) {
			found = append(found, p)
		}
	}
	return found
}

// agentNamed is one of them by its name in the farm.
func (f *Farm) agentNamed(name string) (process, bool) {
	agents := f.agents()
	i := slices.IndexFunc(agents, func(p process) bool { return p.agentName() == name })
	if i < 0 {
		return process{}, false
	}
	return agents[i], true
}

func (f *Farm) names(list string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(a string) bool {
		host, port, err := net.SplitHostPort(a)
		return err == nil && port == strconv.Itoa(f.port) && ours(host)
	})
}

// redis is the store that `gala up` runs beside itself.
func (f *Farm) redis() (process, error) {
	farm, err := f.scheduler()
	if err != nil {
		return farm, err
	}
	for _, p := range processes() {
		if p.parent == farm.pid && p.name == "redis-server" {
			return p, nil
		}
	}
	return process{}, errors.New("this farm has no redis-server of its own: `gala up` starts one where it is installed and --redis names no other")
}

// held is a media process and what it was started for.
type held struct {
	process
	agent process
	epoch uint64
}

// worker is the newest that encodes a job here.
func (f *Farm) worker(job string) (held, error) {
	return f.media("run", "assignment.json", job, "no worker of the job runs on this machine")
}

// ingest holds the job's source here.
func (f *Farm) ingest(job string) (held, error) {
	return f.media("ingest", "ingest.json", job, "no ingest of the job runs on this machine: only sources that run by themselves have one")
}

// has tells whether an agent of the farm started a media process.
func (f *Farm) has(p process) bool {
	dir := p.flag("--dir")
	return slices.ContainsFunc(f.agents(), func(a process) bool {
		data := a.flag("--data")
		return a.pid == p.parent || data != "" && strings.HasPrefix(dir, filepath.Clean(data)+"/")
	})
}

// media finds the processes that an agent of the farm started for a job, by
// what the agent wrote into their directories.
func (f *Farm) media(verb, task, job, otherwise string) (held, error) {
	agents := f.agents()
	var found []held
	for _, p := range processes() {
		if p.name != "gala-worker" || len(p.args) < 2 || p.args[1] != verb {
			continue
		}
		dir := p.flag("--dir")
		i := slices.IndexFunc(agents, func(a process) bool {
			data := a.flag("--data")
			return a.pid == p.parent || data != "" && strings.HasPrefix(dir, filepath.Clean(data)+"/")
		})
		if i < 0 {
			continue
		}
		if of, epoch := purpose(filepath.Join(dir, task)); of == job {
			found = append(found, held{p, agents[i], epoch})
		}
	}
	if len(found) == 0 {
		return held{}, errors.New(otherwise)
	}
	return slices.MaxFunc(found, func(a, b held) int { return cmp.Compare(a.epoch, b.epoch) }), nil
}

// purpose reads the job and the epoch that a media process was started for.
func purpose(file string) (job string, epoch uint64) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", 0
	}
	var task struct {
		Job   string `json:"job"`
		Epoch string `json:"epoch"` // protobuf's JSON has 64-bit numbers as text
	}
	if json.Unmarshal(text, &task) != nil {
		return "", 0
	}
	epoch, _ = strconv.ParseUint(task.Epoch, 10, 64) // an ingest has none
	return task.Job, epoch
}
