package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/galafarm/gala/media"
)

// Datagrams reads a transport stream that comes in datagrams, bare or in RTP
// (RFC 2250). It keeps the kernel's queue empty, whoever reads.
type Datagrams struct {
	conn  *net.UDPConn
	name  string
	queue chan []byte
	rest  []byte
	stop  context.CancelFunc
	ended context.Context
	order *reorder // RTP only
	group sync.WaitGroup

	mu      sync.Mutex
	err     error
	lost    int64 // RTP packets that never came
	dropped int64 // datagrams that nobody read in time
}

const (
	// receiveBuffer asks the kernel for room for a burst: 8 MiB is a second of 60 Mb/s.
	receiveBuffer = 8 << 20
	// waitingDatagrams is some seconds of a stream, while the engine starts.
	waitingDatagrams = 16384
	largestDatagram  = 65536
)

// OpenDatagrams binds to, or joins, a udp:// or rtp:// address within the rules.
func OpenDatagrams(ctx context.Context, input string, rules Rules) (*Datagrams, error) {
	if err := rules.Check(input); err != nil {
		return nil, err
	}
	u, err := Parse(input)
	if err != nil {
		return nil, err
	}
	conn, err := bind(ctx, u)
	if err != nil {
		return nil, &media.Error{Code: media.SourceError, Message: "listen for source " + display(u), Err: err, Retryable: true,
			Advice: "check that the address is this host's, or a group, and that no other program holds the port"}
	}
	_ = conn.SetReadBuffer(receiveBuffer)
	d := &Datagrams{conn: conn, name: display(u), queue: make(chan []byte, waitingDatagrams)}
	if u.Scheme == "rtp" {
		d.order = &reorder{}
	}
	d.ended, d.stop = context.WithCancel(ctx)
	d.group.Go(d.receive)
	return d, nil
}

func bind(ctx context.Context, u *url.URL) (*net.UDPConn, error) {
	host, err := resolve(ctx, u)
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, u.Port()))
	if err != nil {
		return nil, err
	}
	addr := net.UDPAddrFromAddrPort(at)
	if !at.Addr().IsMulticast() {
		return net.ListenUDP("udp", addr)
	}
	return join(addr, u.Query().Get("interface"), u.Query().Get("source"))
}

// join a group, of one source where it is named (SSM). Binding to the group's
// own address keeps other groups of the port out.
func join(group *net.UDPAddr, name, source string) (*net.UDPConn, error) {
	var ifi *net.Interface
	if name != "" {
		var err error
		if ifi, err = net.InterfaceByName(name); err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
	}
	if source == "" {
		return net.ListenMulticastUDP("udp", ifi, group)
	}
	from := net.ParseIP(source)
	if from == nil {
		return nil, fmt.Errorf("source %q is not an IP address", source)
	}
	conn, err := net.ListenUDP("udp", group)
	if err != nil {
		return nil, err
	}
	if group.IP.To4() != nil {
		err = ipv4.NewPacketConn(conn).JoinSourceSpecificGroup(ifi, group, &net.UDPAddr{IP: from})
	} else {
		err = ipv6.NewPacketConn(conn).JoinSourceSpecificGroup(ifi, group, &net.UDPAddr{IP: from})
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// receive fills the queue until the socket is closed.
func (d *Datagrams) receive() {
	defer close(d.queue)
	stop := context.AfterFunc(d.ended, func() { _ = d.conn.Close() })
	defer stop()
	buf := make([]byte, largestDatagram)
	for {
		n, err := d.conn.Read(buf)
		if err != nil {
			d.fail(err)
			return
		}
		payloads := [][]byte{append([]byte(nil), buf[:n]...)}
		if d.order != nil {
			var lost int64
			payloads, lost = d.order.put(payloads[0])
			d.count(lost, 0)
		}
		for _, p := range payloads {
			d.offer(p)
		}
	}
}

func (d *Datagrams) offer(p []byte) {
	select {
	case d.queue <- p:
	default:
		d.count(0, 1)
	}
}

func (d *Datagrams) count(lost, dropped int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost, d.dropped = d.lost+lost, d.dropped+dropped
}

// Lost counts what did not come, and what came and was not read in time.
func (d *Datagrams) Lost() (lost, dropped int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost, d.dropped
}

func (d *Datagrams) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// silence is how long nothing may come before the source counts as gone.
const silence = 10 * time.Second

// Read gives what came in, in order.
func (d *Datagrams) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		timer := time.NewTimer(silence)
		defer timer.Stop()
		select {
		case b, ok := <-d.queue:
			if !ok {
				return 0, d.closed()
			}
			d.rest = b
		case <-timer.C:
			return 0, &media.Error{Code: media.SourceError, Message: fmt.Sprintf("nothing arrives at %s", d.name), Retryable: true,
				Advice: "check that the sender runs, and what it sends to"}
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *Datagrams) closed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil || errors.Is(d.err, net.ErrClosed) {
		return io.EOF
	}
	return d.err
}

// Seek, Size and Seekable: a socket has none.
func (d *Datagrams) Seek(int64, int) (int64, error) {
	return 0, fmt.Errorf("seek: %w", errors.ErrUnsupported)
}

// Size is not known.
func (d *Datagrams) Size() int64 { return -1 }

// Seekable is false.
func (d *Datagrams) Seekable() bool { return false }

// Close ends the reception and waits for it.
func (d *Datagrams) Close() error {
	d.stop()
	d.group.Wait()
	return nil
}
