package input

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/galafarm/gala/media"
)

// Continuous tells a source that runs by itself and for ever - a socket, or a
// playlist or manifest that is followed - from one that can be read from any point at any
// time. Only live jobs read it, through an ingest.
func Continuous(input string) bool {
	u, err := Parse(input)
	return err == nil && (live(u.Scheme) || overHTTP(u.Scheme) && slices.Contains(lists, path.Ext(u.Path)))
}

// lists are what names of playlists and manifests end in.
var lists = []string{".m3u8", ".mpd"}

func live(scheme string) bool { return slices.Contains([]string{"srt", "rtmp", "udp", "rtp"}, scheme) }

func overHTTP(scheme string) bool { return scheme == "http" || scheme == "https" }

// Pushed tells a source that comes to the farm: it reaches the one host whose
// address the sender knows.
func Pushed(input string) bool {
	u, err := Parse(input)
	return err == nil && live(u.Scheme) && (listens(u) || datagrams(u.Scheme) && !multicast(u))
}

// Collide tells two pushed sources that would listen at one address: each is held
// by a process of its own, so one of them would hear nothing.
func Collide(a, b string) bool {
	if !Pushed(a) || !Pushed(b) {
		return false
	}
	u, errA := Parse(a)
	v, errB := Parse(b)
	if errA != nil || errB != nil {
		return false
	}
	everywhere := func(host string) bool {
		addr, err := netip.ParseAddr(host)
		return host == "" || err == nil && addr.IsUnspecified()
	}
	overTCP := func(u *url.URL) bool { return u.Scheme == "rtmp" }
	return overTCP(u) == overTCP(v) && portOf(u) == portOf(v) && (u.Hostname() == v.Hostname() || everywhere(u.Hostname()) || everywhere(v.Hostname()))
}

// portOf is where a source is connected to, or listened for.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" || u.Scheme != "rtmp" {
		return port
	}
	return "1935"
}

func datagrams(scheme string) bool { return scheme == "udp" || scheme == "rtp" }

func listens(u *url.URL) bool {
	return u.Query().Get("mode") == "listener" || u.Scheme == "srt" && u.Hostname() == ""
}

func multicast(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsMulticast()
}

// parseLive checks the form of a live address.
func parseLive(u *url.URL) (*url.URL, error) {
	if port, err := strconv.Atoi(u.Port()); u.Scheme != "rtmp" && (err != nil || port < 1 || port > 65535) {
		return nil, refused(fmt.Sprintf("source %s names no port", display(u)), fmt.Sprintf("write it as %s://host:port", u.Scheme))
	}
	if u.Scheme == "rtmp" && (u.Hostname() == "" || strings.Trim(u.Path, "/") == "") {
		return nil, refused(fmt.Sprintf("source %s names no stream", display(u)), "write it as rtmp://host/app/stream")
	}
	for key := range u.Query() {
		if !slices.Contains(liveKeys[u.Scheme], key) {
			return nil, refused(fmt.Sprintf("source %s: %s sources have no option %q", display(u), u.Scheme, key),
				"the options are "+strings.Join(liveKeys[u.Scheme], ", "))
		}
	}
	if _, err := choice(u); err != nil {
		return nil, err
	}
	switch mode := u.Query().Get("mode"); {
	case mode == "" || mode == "caller" || mode == "listener":
		return u, nil
	default:
		return nil, refused(fmt.Sprintf("source %s: mode %q is unknown", display(u), mode), "mode is caller or listener")
	}
}

// liveKeys are the options of an address. latency is in milliseconds, as SRT
// tools write it; program, video and audio choose of a transport stream.
var liveKeys = map[string][]string{
	"srt":  {"mode", "passphrase", "pbkeylen", "latency", "streamid", "program", "video", "audio"},
	"rtmp": {"mode"},
	"udp":  {"interface", "source", "program", "video", "audio"},
	"rtp":  {"interface", "source", "program", "video", "audio"},
}

// checkLive is checkAddr for live sources: groups may be joined, and a listener
// binds to an address of this machine.
func checkLive(u *url.URL, addr netip.Addr) error {
	if listens(u) || datagrams(u.Scheme) {
		if addr.IsLinkLocalUnicast() {
			return checkAddr(u.Hostname(), addr)
		}
		return nil
	}
	return checkAddr(u.Hostname(), addr)
}

// Native is an address that libavformat's own protocol connects to. The host is
// an address that was checked, never a name.
type Native struct {
	URL     string
	Name    string // for messages: no passphrase
	Options map[string]string
	// Protocols are those that may take part.
	Protocols string
}

// connectTimeout of a native protocol; readTimeout is how long a connected
// source may be silent.
const connectTimeout, readTimeout = 5 * time.Second, 10 * time.Second

// OpenNative checks an srt or rtmp address and says how to connect to it.
func OpenNative(ctx context.Context, input string, rules Rules) (Native, error) {
	if err := rules.Check(input); err != nil {
		return Native{}, err
	}
	u, err := Parse(input)
	if err != nil {
		return Native{}, err
	}
	host, err := resolve(ctx, u)
	if err != nil {
		return Native{}, err
	}
	n := Native{Name: Display(input), Options: map[string]string{}}
	if u.Scheme == "srt" {
		n.URL, n.Protocols = "srt://"+net.JoinHostPort(host, u.Port()), "srt,udp"
		n.srt(u)
		return n, nil
	}
	n.URL, n.Protocols = "rtmp://"+net.JoinHostPort(host, portOf(u))+u.EscapedPath(), "rtmp,tcp"
	if listens(u) {
		n.Options["listen"] = "1"
		n.Options["timeout"] = "-1"
	} else {
		// What the server is asked for keeps its name: it may serve several.
		n.Options["rtmp_tcurl"] = "rtmp://" + u.Host + path.Dir(u.Path)
		n.Options["rw_timeout"] = micros(readTimeout)
	}
	n.Options["rtmp_live"] = "live"
	return n, nil
}

func (n *Native) srt(u *url.URL) {
	q := u.Query()
	n.Options["mode"] = "caller"
	n.Options["connect_timeout"] = strconv.FormatInt(connectTimeout.Milliseconds(), 10)
	if listens(u) {
		n.Options["mode"] = "listener"
	}
	n.Options["timeout"] = micros(readTimeout)
	n.Options["transtype"] = "live"
	for key, option := range map[string]string{"passphrase": "passphrase", "pbkeylen": "pbkeylen", "streamid": "streamid"} {
		if v := q.Get(key); v != "" {
			n.Options[option] = v
		}
	}
	if ms, err := strconv.ParseInt(q.Get("latency"), 10, 64); err == nil && ms >= 0 {
		n.Options["latency"] = strconv.FormatInt(ms*1000, 10)
	}
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// resolve is the address of u's host that may be connected to.
func resolve(ctx context.Context, u *url.URL) (string, error) {
	host := u.Hostname()
	if host == "" {
		return "0.0.0.0", nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", &media.Error{Code: media.SourceError, Message: "look up source host " + host, Err: err, Retryable: true, Advice: "check the name, and that the agent's host can resolve it"}
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	for _, a := range addrs {
		if err = checkLive(u, a.Unmap()); err == nil {
			return a.Unmap().String(), nil
		}
	}
	return "", err
}
