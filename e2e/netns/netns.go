// Package netns gives a test hosts that it can cut off. Where there are none, the
// test is skipped, loudly.
package netns

import (
	"context"
	"os/exec"
	"testing"

	"github.com/galafarm/gala/internal/netns"
)

// Net is a bridge on this machine with hosts at it, until the test ends.
type Net struct {
	// Address of this machine on the bridge.
	Address string

	t   testing.TB
	net *netns.Net
}

// New makes a bridge, or skips the test.
func New(t testing.TB) *Net {
	t.Helper()
	n, err := netns.New()
	if err != nil {
		t.Skipf("SKIPPED LOUDLY: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("remove the net: %v", err)
		}
	})
	return &Net{n.Address, t, n}
}

// Host is one namespace.
type Host struct {
	Name    string
	Address string

	t    testing.TB
	host *netns.Host
}

// Add a host to the net.
func (n *Net) Add(name string) *Host {
	n.t.Helper()
	h, err := n.net.Add(name)
	if err != nil {
		n.t.Fatal(err)
	}
	return &Host{h.Name, h.Address, n.t, h}
}

// Command is a program on the host; it is the process itself, with nothing between.
func (h *Host) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return h.host.Command(ctx, program, args...)
}

// Cut the host off, from now until Join.
func (h *Host) Cut() { h.t.Helper(); h.must(h.host.Cut()) }

// Join it again.
func (h *Host) Join() { h.t.Helper(); h.must(h.host.Join()) }

// Kill ends every process of the host.
func (h *Host) Kill() { h.host.Kill() }

func (h *Host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}
