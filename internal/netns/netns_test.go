package netns

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// Two nets of one process are apart, their hosts are reached by their addresses
// until they are cut off, and nothing is left of them.
func TestNets(t *testing.T) {
	one, err := New()
	if err != nil {
		t.Skipf("SKIPPED LOUDLY: %v", err)
	}
	two, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if one.Address == two.Address {
		t.Errorf("both nets are at %s", one.Address)
	}
	for _, n := range []*Net{one, two} {
		h, err := n.Add("a")
		if err != nil {
			t.Fatal(err)
		}
		answers := func() bool {
			return h.Command(t.Context(), "ip", "route", "get", n.Address).Run() == nil && reached(t, h)
		}
		if !answers() {
			t.Errorf("%s is not reached", h.Address)
		}
		if err := h.Cut(); err != nil {
			t.Fatal(err)
		}
		if up, _ := exec.CommandContext(t.Context(), "ip", "-o", "link", "show", h.port).Output(); strings.Contains(string(up), "state UP") {
			t.Errorf("the cable is up: %s", up)
		}
		if err := h.Join(); err != nil {
			t.Fatal(err)
		}
		if !answers() {
			t.Errorf("%s is not reached again", h.Address)
		}
	}
	for _, n := range []*Net{one, two} {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		left, _ := output("netns", "list")
		links, _ := output("-o", "link", "show")
		if strings.Contains(left+links, n.bridge) {
			t.Errorf("left: %s%s", left, links)
		}
	}
}

// reached: a host refuses a connection to a port at which nothing listens.
func reached(t *testing.T, h *Host) bool {
	t.Helper()
	var d net.Dialer
	_, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(h.Address, "9"))
	return err != nil && strings.Contains(err.Error(), "refused")
}
