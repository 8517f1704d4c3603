package origin

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// mayWrite decides who may change a tree: with a token whoever holds it, and
// without one only a process of this machine.
func (o *Origin) mayWrite(r *http.Request) error {
	if o.cfg.Token == "" {
		return localWriter(r)
	}
	given := givenToken(r)
	if given == "" {
		return &status{http.StatusUnauthorized, "this origin takes writes with a token: send it as Authorization: Bearer TOKEN, or in the address as http://gala:TOKEN@HOST/…"}
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(o.cfg.Token)) != 1 {
		return &status{http.StatusForbidden, "the token is not the one this origin was started with"}
	}
	return nil
}

// givenToken reads a bearer token, or the password that HTTP clients make of an
// address with one.
func givenToken(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return given
}

// localWriter looks at more than the address: a proxy on this machine makes
// strangers look local, and a web page can make a browser on this machine send
// requests under a host name that it has pointed at the loopback address.
func localWriter(r *http.Request) error {
	deny := func(why string) error {
		return &status{http.StatusForbidden, why + "; start the origin with a token to take writes from elsewhere"}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case err != nil || !peer.Addr().Unmap().IsLoopback():
		return deny("without a token only writers on this machine are let in")
	case r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "":
		return deny("the write came through a proxy")
	case !hostIsAddress(r.Host):
		return deny("the write was sent to a host name")
	}
	return nil
}

func hostIsAddress(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	_, err = netip.ParseAddr(host)
	return err == nil || host == "localhost"
}
