package keys

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/galafarm/gala/media/input"
)

// server is a key server: one POST of a CPIX document is answered with the same
// document, keys filled in.
type server struct {
	url     *url.URL
	systems []ID
	rules   input.Rules
}

// patience with a key server, the whole exchange.
const patience = 20 * time.Second

func newServer(u *url.URL, rules input.Rules) (server, error) {
	systems, err := wanted(u)
	plain := *u
	plain.Fragment, plain.RawFragment = "", ""
	return server{&plain, systems, rules}, err
}

// wanted are the DRM systems that the address asks for behind a #, such as
// https://keys.example.com/v2#widevine,fairplay; those of the big platforms else.
func wanted(u *url.URL) ([]ID, error) {
	names := strings.Split(u.Fragment, ",")
	if u.Fragment == "" {
		names = []string{"widevine", "playready", "fairplay"}
	}
	var out []ID
	for _, name := range names {
		if k, ok := byName(name); ok {
			out = append(out, k.id)
			continue
		}
		id, err := ParseID(name)
		if err != nil {
			return nil, refused("keys: "+u.Redacted()+" asks for DRM systems that have no such name",
				"write them behind the # as widevine, playready, fairplay, clearkey or by system id, with commas between")
		}
		out = append(out, id)
	}
	return out, nil
}

// Keys implements Source.
func (s server) Keys(ctx context.Context, c Content) (Set, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := request(c, s.systems)
	if err != nil {
		return nil, about(err)
	}
	f := input.NewFetcher(s.rules)
	defer f.Close()
	head := http.Header{"Content-Type": {"application/xml"}, "X-Speke-Version": {"2.0"}, "X-Speke-User-Agent": {"gala"}}
	got, err := f.Post(ctx, s.url, head, body, most)
	if err != nil {
		return nil, about(err)
	}
	set, err := answer(got, c)
	if err != nil {
		return nil, refused("key server "+s.url.Redacted()+" answered without the keys: "+err.Error(), "see the key server's log for the content id "+c.Job)
	}
	return set, nil
}
