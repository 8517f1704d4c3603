package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media/steering"
)

// judgeSteering: where players are told whom to ask which replica to take, the
// answer is there and names what is listed.
func (t *tree) judgeSteering(ctx context.Context, b *book) error {
	if t.master == nil || t.master.ContentSteering == nil {
		b.skip("no steering server is named", "steering")
		return nil
	}
	server := t.master.ContentSteering
	known := t.pathways(b, server)
	if strings.Contains(server.ServerURI, "://") {
		return nil // another's
	}
	return t.askSteering(ctx, b, server.ServerURI, known)
}

// pathways of the variants: every one has one, and the first that players take is
// among them.
func (t *tree) pathways(b *book, s *m3u8.ContentSteering) (known []string) {
	for _, v := range t.master.Variants {
		b.holds("steering", legalPathway(v.PathwayId), at(t.masterPath), "%s has PATHWAY-ID %q", v.URI, v.PathwayId)
		known = append(known, v.PathwayId)
	}
	b.holds("steering", s.PathwayId == "" || slices.Contains(known, s.PathwayId), at(t.masterPath), "the first PATHWAY-ID %q is that of no variant", s.PathwayId)
	return known
}

// legalPathway (RFC 8216bis §7.2).
func legalPathway(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}

func (t *tree) askSteering(ctx context.Context, b *book, server string, known []string) error {
	server, _, _ = strings.Cut(server, "?")
	server = t.resolve(b, t.masterPath, server)
	o, err := t.store.get(ctx, server)
	if errors.Is(err, errNotThere) {
		b.broke("steering", at(server), "it is not there")
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: steering manifest: %w", ErrCannotLook, err)
	}
	m, err := steering.Parse(o.body)
	b.holds("steering", err == nil, at(server), "%v", err)
	b.holds("steering", err != nil || slices.ContainsFunc(m.Pathways, func(p string) bool { return slices.Contains(known, p) }), at(server), "of its pathways %q none is listed", m.Pathways)
	return nil
}
