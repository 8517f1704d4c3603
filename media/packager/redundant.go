package packager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
)

// union writes, for one output, what stands above the replicas of a redundant
// job: a multivariant playlist with the variants of all, and a manifest with a
// base address for each. Every replica does so, from what is there and nothing
// else, so that all write the same bytes and none needs another; it looks again
// with each segment, which puts right what two wrote at the same time. The sink
// is that of the job's tree, without an epoch: replicas' epochs do not compare.
//
// A manifest stays that of the replica that it is from for as long as it is true,
// because another's Periods may begin elsewhere, which players do not follow.
type union struct {
	p    *Packager
	out  *output
	sink media.Sink
	bell chan struct{} // a segment was listed

	mu sync.Mutex // of look
}

// folderOf is a replica's tree below the job's.
func folderOf(replica int) string { return fmt.Sprintf("r%d", replica) }

func newUnion(p *Packager, out *output, sink media.Sink) *union {
	return &union{p: p, out: out, sink: sink, bell: make(chan struct{}, 1)}
}

// ring asks for a look; it never waits.
func (u *union) ring() {
	if u == nil {
		return
	}
	select {
	case u.bell <- struct{}{}:
	default:
	}
}

// run looks after segments were listed, at most once per segment.
func (u *union) run(ctx context.Context) {
	pause := time.NewTicker(u.p.segmentLength())
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.bell:
		}
		u.out.complain("playlists above the replicas", u.look(ctx, false))
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// look writes what is not there as it should be. ended: this replica is at its end.
func (u *union) look(ctx context.Context, ended bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, u.p.patience())
	defer cancel()
	err := u.lookMaster(ctx)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return errors.Join(err, u.lookManifest(ctx, ended), u.lookSteering(ctx))
}

// get is nil for what is not there, or cannot be read at an origin that takes
// PUT only.
func (u *union) get(ctx context.Context, name string) ([]byte, error) {
	b, err := u.sink.Get(ctx, name)
	if errors.Is(err, media.ErrNotFound) || publish.WriteOnly(err) {
		return nil, nil
	}
	return b, err
}

func (u *union) put(ctx context.Context, name string, body []byte) error {
	there, err := u.get(ctx, name)
	if err != nil || bytes.Equal(there, body) {
		return err
	}
	return u.sink.Put(ctx, name, body)
}

func (u *union) lookMaster(ctx context.Context) error {
	var trees []hls.Tree
	for n := 1; n <= u.p.spec.Replicas; n++ {
		b, err := u.get(ctx, path.Join(folderOf(n), masterName))
		if err != nil {
			return err
		}
		if b != nil {
			trees = append(trees, hls.Tree{Folder: folderOf(n), Master: b})
		}
	}
	if len(trees) == 0 {
		return nil
	}
	return u.put(ctx, masterName, hls.Redundant(trees, u.server()))
}

func (u *union) lookManifest(ctx context.Context, ended bool) error {
	manifests := map[string][]byte{}
	var order []string
	for n := 1; n <= u.p.spec.Replicas; n++ {
		b, err := u.get(ctx, path.Join(folderOf(n), dash.Name))
		if err != nil {
			return err
		}
		if b != nil {
			manifests[folderOf(n)], order = b, append(order, folderOf(n))
		}
	}
	if len(order) == 0 {
		return nil
	}
	from, err := u.from(ctx, manifests, order, ended)
	if err != nil {
		return err
	}
	folders := []string{from}
	for _, f := range order {
		if f != from && dash.Interchangeable(manifests[from], manifests[f]) {
			folders = append(folders, f)
		}
	}
	body, err := dash.Redundant(manifests[from], folders)
	if err != nil {
		return err
	}
	return u.put(ctx, dash.Name, body)
}

// from is the replica whose manifest is the job's: the one that it is from
// already, else the first. This one takes over where that one's says no more
// what there is: its writer is behind, and our segments are others, or the end.
func (u *union) from(ctx context.Context, manifests map[string][]byte, order []string, ended bool) (string, error) {
	there, err := u.get(ctx, dash.Name)
	if err != nil {
		return "", err
	}
	from, own := dash.From(there), folderOf(u.p.spec.Replica)
	if manifests[from] == nil {
		return order[0], nil
	}
	ours := manifests[own]
	if from == own || ours == nil || !ended && dash.Interchangeable(manifests[from], ours) {
		return from, nil
	}
	behind, err := u.behind(ctx, from)
	if err != nil {
		return "", err
	}
	if behind || ended && !dash.Over(manifests[from]) {
		return own, nil
	}
	return from, nil
}

// longBehind is by how many segments a replica is behind this one that has died.
const longBehind = 3

// behind tells whether another replica has stopped.
func (u *union) behind(ctx context.Context, folder string) (bool, error) {
	list, err := u.listed(ctx, folder)
	if err != nil || list == nil {
		return err == nil, err
	}
	theirs, _ := list.Last()
	return !list.Ended && u.last()-theirs > longBehind, nil
}

// listed is what another replica's first rendition lists, nil where there is none.
func (u *union) listed(ctx context.Context, folder string) (*hls.Media, error) {
	b, err := u.get(ctx, path.Join(folder, u.p.order[0].rendition.Name, playlistName))
	if err != nil || b == nil {
		return nil, err
	}
	return hls.ParseMedia(b)
}

// last is the newest number that this replica's first rendition lists.
func (u *union) last() int64 {
	k := u.p.order[0].takerOf(u.out)
	k.mu.Lock()
	defer k.mu.Unlock()
	last, _ := k.list.Last()
	return last
}
