package packager

import (
	"context"

	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/steering"
)

// server is what the multivariant playlist above the replicas names as its steering
// server: our own object unless the job has another, "" for none. Manifests name
// none, because players are steered among absolute addresses only.
func (u *union) server() string {
	switch s := u.p.spec.Steering; s {
	case "":
		return steering.Name
	case steering.Off:
		return ""
	default:
		return s
	}
}

// lookSteering writes which replica players should take, by what programme each has of
// the first rendition: all of one are made by one worker, and a rung that is left out
// under overload is one of the first.
func (u *union) lookSteering(ctx context.Context) error {
	if u.server() != steering.Name {
		return nil
	}
	b, err := u.get(ctx, steering.Name)
	if err != nil {
		return err
	}
	before, _ := steering.Parse(b) // what is there may be anything, and is replaced
	var trees []steering.Tree
	for n := 1; n <= u.p.spec.Replicas; n++ {
		newest := int64(-1)
		if n == u.p.spec.Replica {
			newest = u.newest()
		} else if list, err := u.listed(ctx, folderOf(n)); ctx.Err() != nil {
			return ctx.Err()
		} else if err == nil && list != nil { // what cannot be read is not there for players either
			newest = u.p.lapses.before(newestOf(list), list.DateRanges)
		}
		trees = append(trees, steering.Tree{Folder: folderOf(n), Newest: newest})
	}
	m := steering.Manifest{TTL: steering.TTLFor(u.p.segmentLength())}
	m.Pathways, m.Current = steering.Order(trees, before)
	return u.put(ctx, steering.Name, m.Encode())
}

// newest is the last segment of this replica's first rendition that has programme,
// -1 without one.
func (u *union) newest() int64 {
	k := u.p.order[0].takerOf(u.out)
	k.mu.Lock()
	defer k.mu.Unlock()
	return u.p.lapses.before(newestOf(&k.list), u.p.lapses.list())
}

// newestOf a playlist is its last segment that is no gap, -1 without one.
func newestOf(list *hls.Media) int64 {
	for i := len(list.Segments) - 1; i >= 0; i-- {
		if !list.Segments[i].Gap {
			return list.Segments[i].Number
		}
	}
	return -1
}
