package worker

import (
	"context"
	"sync"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// board holds the latest news for any number of watchers; each reads at its
// own pace and misses only what was replaced.
type board struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change
	revision uint64
	news     galav1.WatchResponse
}

func newBoard() *board { return &board{changed: make(chan struct{}), revision: 1} }

func (b *board) update(f func(*galav1.WatchResponse)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.news)
	b.revision++
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) status(s *galav1.WorkerStatus) {
	b.update(func(n *galav1.WatchResponse) { n.Status = s })
}

func (b *board) propose(input int, a *galav1.Anchor) {
	b.update(func(n *galav1.WatchResponse) { n.Proposal, n.ProposalInput = a, uint32(input) })
}

func (b *board) end(o *galav1.Outcome) {
	b.update(func(n *galav1.WatchResponse) { n.Status, n.Outcome = o.GetStatus(), o })
}

// next waits for news later than revision seen.
func (b *board) next(ctx context.Context, seen uint64) (*galav1.WatchResponse, uint64, error) {
	for {
		b.mu.Lock()
		if b.revision > seen {
			news := &galav1.WatchResponse{Status: b.news.Status, Proposal: b.news.Proposal, ProposalInput: b.news.ProposalInput, Outcome: b.news.Outcome}
			revision := b.revision
			b.mu.Unlock()
			return news, revision, nil
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, seen, ctx.Err()
		}
	}
}
