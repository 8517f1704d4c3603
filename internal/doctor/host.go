package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// redis looks for the Redis that was named, or for a redis-server to start.
func (m Machine) redis(ctx context.Context) Finding {
	if m.RedisURL != "" {
		return pingRedis(ctx, m.RedisURL)
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return Finding{"Redis", Warn, "redis-server is not installed", "`gala up` then keeps jobs in memory only; apt install redis-server, or name one with --redis"}
	}
	out, err := output(ctx, program, "--version")
	if err != nil {
		return Finding{"Redis", Warn, fmt.Sprintf("%s: %v", program, err), "install it again: apt install --reinstall redis-server"}
	}
	return Finding{"Redis", OK, program + " " + serverVersion(string(out)), ""}
}

// serverVersion is the v= word of `redis-server --version`.
func serverVersion(line string) string {
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, "v="); ok {
			return v
		}
	}
	return strings.TrimSpace(line)
}

// pingRedis tells whether a Redis answers; it does not log in.
func pingRedis(ctx context.Context, raw string) Finding {
	u, err := url.Parse(raw)
	if err != nil {
		return Finding{"Redis", Missing, "the URL cannot be read", "want redis://HOST:PORT/DB"}
	}
	answer, err := ping(ctx, u)
	if err != nil {
		return Finding{"Redis", Missing, fmt.Sprintf("%s: %v", u.Redacted(), err), "start it, or correct --redis"}
	}
	if strings.HasPrefix(answer, "+PONG") || strings.HasPrefix(answer, "-NOAUTH") {
		return Finding{"Redis", OK, u.Redacted() + " answers", ""}
	}
	return Finding{"Redis", Missing, u.Redacted() + " answers " + strings.TrimSpace(answer), "is that a Redis?"}
}

func ping(ctx context.Context, u *url.URL) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := dialRedis(ctx, u)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func dialRedis(ctx context.Context, u *url.URL) (net.Conn, error) {
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "6379")
	}
	switch u.Scheme {
	case "unix":
		return new(net.Dialer).DialContext(ctx, "unix", u.Path)
	case "rediss":
		return new(tls.Dialer).DialContext(ctx, "tcp", host)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", host)
}

// look tells whether the farm could listen here.
func (p Port) look(ctx context.Context) Finding {
	name := "port " + p.Flag
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.Address)
	if err != nil {
		return Finding{name, Warn, fmt.Sprintf("%s: %v", p.Address, err), "a farm may be up already; otherwise stop what listens there, or choose another " + p.Flag}
	}
	l.Close()
	return Finding{name, OK, p.Address + " is free", ""}
}

// enough is the free space below which a farm is short soon: half an hour of
// a 1080p ladder.
const enough = 10 << 30

// disk looks at the data directory, or at what it would be made in.
func (m Machine) disk() Finding {
	dir := existing(m.Data)
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Finding{"disk", Missing, fmt.Sprintf("%s: %v", dir, err), "choose another directory with --data"}
	}
	free := s.Bavail * uint64(s.Bsize)
	found := fmt.Sprintf("%.1f GiB free for %s", float64(free)/(1<<30), m.Data)
	switch {
	case !writable(dir):
		return Finding{"disk", Missing, m.Data + " cannot be written by this user", "choose another directory with --data"}
	case free < enough:
		return Finding{"disk", Warn, found, "live windows and VOD trees of the farm's own origin lie there; choose a larger disk with --data"}
	}
	return Finding{"disk", OK, found, ""}
}

// existing is the nearest folder above dir that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// writable asks the kernel (access(2), W_OK) and writes nothing.
func writable(dir string) bool { return syscall.Access(dir, 2) == nil }
