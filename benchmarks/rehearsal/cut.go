package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// cutOff takes down our ends of the cables to the agent's network namespace. In
// there nothing is touched, so that its addresses and routes stay. Finding them is no
// part of the fault: it begins with the first that goes down.
func (r *Rehearsal) cutOff(h held, err error) (func() error, string, error) {
	if err != nil {
		return nil, "", err
	}
	mine, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil, "", err
	}
	its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", h.pid))
	if err != nil {
		return nil, "", fmt.Errorf("network of %s (process %d): %w: this wants root", h.name, h.pid, err)
	}
	if its == mine {
		return nil, "", errors.New("the agent shares this machine's network: it is cut off only where it has a network namespace of its own, as in a container")
	}
	there, err := run("nsenter", "-t", fmt.Sprint(h.pid), "-n", "ip", "-o", "link", "show")
	if err != nil {
		return nil, "", err
	}
	here, err := run("ip", "-o", "link", "show")
	if err != nil {
		return nil, "", err
	}
	names := cables(there, here)
	if len(names) == 0 {
		return nil, "", errors.New("the agent's network is not joined to this one by a veth pair")
	}
	set := func(state string) error {
		var errs []error
		for _, name := range names {
			_, err := run("ip", "link", "set", "dev", name, state)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	up := func() error { return set("up") }
	r.struck = time.Now()
	if err := set("down"); err != nil {
		return nil, "", errors.Join(err, up())
	}
	return up, fmt.Sprintf("%s to %s taken down", strings.Join(names, ", "), h.flag("--name")), nil
}

// cables are our ends of veth pairs, of what `ip -o link` prints in the two
// namespaces: "2: eth0@if7: <…" there is "7: port@if2: <…" here.
func cables(there, here string) (names []string) {
	ends := map[string]string{}
	for line := range strings.Lines(here) {
		if index, name, peer, ok := cable(line); ok {
			ends[peer+" "+index] = name
		}
	}
	for line := range strings.Lines(there) {
		if index, _, peer, ok := cable(line); ok {
			if name := ends[index+" "+peer]; name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// cable reads one line of them.
func cable(line string) (index, name, peer string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 2 {
		return "", "", "", false
	}
	name, peer, ok = strings.Cut(strings.TrimSuffix(f[1], ":"), "@if")
	return strings.TrimSuffix(f[0], ":"), name, peer, ok
}

// run is a program of a moment.
func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
