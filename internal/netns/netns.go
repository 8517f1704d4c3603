// Package netns makes hosts out of network namespaces: each has an address of
// its own on a bridge of this machine, and can be cut off from it as by a switch
// that dies - no connection is closed, nothing is refused, packets are gone.
//
// Invariants: everything it makes carries this process's number and is removed
// by Close. It needs root and iproute2, and a kernel that makes namespaces.
//
// It must not know what runs on a host.
package netns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// Net is a bridge on this machine with hosts at it.
type Net struct {
	// Address of this machine on the bridge.
	Address string

	bridge string
	number int
	subnet string // "10.213.7."
	hosts  []*Host
}

// most nets at once of one process.
const most = 60

// New makes a bridge. It errs where this machine has no hosts to give, and
// leaves nothing then. What processes that are gone have left is removed.
func New() (n *Net, err error) {
	if os.Getuid() != 0 {
		return nil, errors.New("hosts are network namespaces, which want root")
	}
	sweep()
	used, err := output("-o", "addr", "show")
	if err != nil {
		return nil, err
	}
	// The name of a bridge is had by one: so is the subnet that goes with it.
	for i := range most {
		n = &Net{number: i, bridge: fmt.Sprintf("gb%d-%d", os.Getpid(), i), subnet: fmt.Sprintf("10.213.%d.", (os.Getpid()%4*most+i)%240+1)}
		if strings.Contains(used, " "+n.subnet) {
			continue
		}
		if err = ip("link", "add", n.bridge, "type", "bridge"); err == nil {
			if err := n.open(); err != nil {
				return nil, err
			}
			return n, nil
		}
	}
	return nil, fmt.Errorf("no bridge can be made here: %w", cmp.Or(err, errors.New("every subnet is in use")))
}

// open gives the bridge its address, and tries whether there can be hosts.
func (n *Net) open() error {
	n.Address = n.subnet + "1"
	probe := n.bridge + "-try"
	err := all([]string{"addr", "add", n.Address + "/24", "dev", n.bridge}, []string{"link", "set", n.bridge, "up"}, []string{"netns", "add", probe}, []string{"netns", "del", probe})
	if err != nil {
		return errors.Join(err, n.Close())
	}
	return nil
}

var ours = regexp.MustCompile(`^(gb|gp)(\d+)-`)

// sweep removes what was made by processes that are gone.
func sweep() {
	gone := func(name string) bool {
		m := ours.FindStringSubmatch(name)
		if m == nil {
			return false
		}
		_, err := os.Stat("/proc/" + m[2])
		return errors.Is(err, fs.ErrNotExist)
	}
	spaces, _ := output("netns", "list") // without a list there is nothing to remove
	for line := range strings.Lines(spaces) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); gone(name) {
			h := Host{namespace: name}
			h.Kill()
			_ = ip("netns", "del", name)
		}
	}
	links, _ := output("-o", "link", "show")
	for line := range strings.Lines(links) {
		if f := strings.Fields(line); len(f) > 1 {
			if name, _, _ := strings.Cut(strings.TrimSuffix(f[1], ":"), "@"); gone(name) {
				_ = ip("link", "del", name) // with one end the other is gone too
			}
		}
	}
}

// Close removes the net and its hosts; what runs on them is killed.
func (n *Net) Close() error {
	var errs []error
	for _, h := range n.hosts {
		h.Kill()
		errs = append(errs, ip("link", "del", h.port), ip("netns", "del", h.namespace))
	}
	return errors.Join(append(errs, ip("link", "del", n.bridge))...)
}

// Host is one namespace.
type Host struct {
	Name    string
	Address string

	namespace string
	port      string // the bridge's end of its cable
}

// Add a host to the net.
func (n *Net) Add(name string) (*Host, error) {
	h := &Host{Name: name, Address: fmt.Sprintf("%s%d", n.subnet, len(n.hosts)+2),
		namespace: fmt.Sprintf("%s-%s", n.bridge, name), port: fmt.Sprintf("gp%d-%d%d", os.Getpid(), n.number, len(n.hosts)+1)}
	if err := ip("netns", "add", h.namespace); err != nil {
		return nil, err
	}
	if err := ip("link", "add", h.port, "type", "veth", "peer", "name", "eth0", "netns", h.namespace); err != nil {
		return nil, errors.Join(err, ip("netns", "del", h.namespace))
	}
	n.hosts = append(n.hosts, h)
	return h, all(
		[]string{"link", "set", h.port, "master", n.bridge, "up"},
		[]string{"-n", h.namespace, "addr", "add", h.Address + "/24", "dev", "eth0"},
		[]string{"-n", h.namespace, "link", "set", "eth0", "up"},
		[]string{"-n", h.namespace, "link", "set", "lo", "up"},
		[]string{"-n", h.namespace, "route", "add", "default", "via", n.Address}, // and for groups
	)
}

// Command is a program on the host; it is the process itself, with nothing between.
func (h *Host) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.namespace, program}, args...)...)
}

// Cut the host off, from now until Join.
func (h *Host) Cut() error { return ip("link", "set", h.port, "down") }

// Join it again.
func (h *Host) Join() error { return ip("link", "set", h.port, "up") }

// Kill ends every process of the host.
func (h *Host) Kill() {
	pids, _ := output("netns", "pids", h.namespace)
	for pid := range strings.FieldsSeq(pids) {
		_ = exec.Command("kill", "-KILL", pid).Run() // it may be gone
	}
}

func all(calls ...[]string) error {
	for _, args := range calls {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return nil
}

func ip(args ...string) error { _, err := output(args...); return err }

func output(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
