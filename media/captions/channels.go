package captions

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Channels notes which caption channels triplets, given in presentation order,
// speak of. The zero value has seen nothing.
type Channels struct {
	seen map[string]bool
	// dtvcc is the packet being gathered, want its length.
	dtvcc []byte
	want  int
}

// See takes one frame's triplets and tells whether a channel is new.
func (c *Channels) See(ts []Triplet) bool {
	before := len(c.seen)
	for _, t := range ts {
		switch {
		case !t.valid():
		case t.line():
			c.line(t)
		default:
			c.packet(t)
		}
	}
	return len(c.seen) > before
}

// List is what was seen: CC1 to CC4, then SERVICE1 to SERVICE63.
func (c *Channels) List() []string {
	var out []string
	for name := range c.seen {
		out = append(out, name)
	}
	Sort(out)
	return out
}

// Sort puts channel names in their order.
func Sort(names []string) {
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(a[:1], b[:1]), cmp.Compare(number(a), number(b))) })
}

func number(name string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(name, "CSERVI"))
	return n
}

func (c *Channels) add(format string, n int) {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[fmt.Sprintf(format, n)] = true
}

// line looks for the commands that open a caption mode (CEA-608 table 52):
// resume loading, roll-up, direct, end of caption. Text channels and XDS have
// others, and erasing is done where nothing is ever shown.
func (c *Channels) line(t Triplet) {
	a, b := t[1]&0x7f, t[2]&0x7f
	if a&0x76 != 0x14 {
		return
	}
	switch b {
	case 0x20, 0x25, 0x26, 0x27, 0x29, 0x2f:
		c.add("CC%d", 1+2*t.kind()+int(a>>3&1))
	}
}

// packet gathers a caption channel packet (CTA-708 §5): its first byte is the
// sequence number and its size.
func (c *Channels) packet(t Triplet) {
	if t.kind() == packetStart {
		c.dtvcc = c.dtvcc[:0]
		if c.want = 2 * int(t[1]&0x3f); c.want == 0 {
			c.want = 128
		}
	} else if c.want == 0 {
		return // the middle of a packet
	}
	if c.dtvcc = append(c.dtvcc, t[1], t[2]); len(c.dtvcc) >= c.want {
		c.services(c.dtvcc[1:c.want])
		c.want = 0
	}
}

// services reads the headers of service blocks (CTA-708 §6.2).
func (c *Channels) services(b []byte) {
	for len(b) > 0 {
		n, size := int(b[0]>>5), int(b[0]&0x1f)
		if b = b[1:]; n == 0 {
			return
		}
		if n == 7 && size > 0 && len(b) > 0 {
			n, b = int(b[0]&0x3f), b[1:]
		}
		if size > len(b) {
			return
		}
		if size > 0 && n > 0 {
			c.add("SERVICE%d", n)
		}
		b = b[size:]
	}
}
