package publish

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed: the lane takes nothing more.
var ErrClosed = errors.New("lane is closed")

// Lane carries items to one taker in order, on a goroutine of its own: Run.
// While the taker is slow the lane fills; then a live lane drops its oldest
// item and says so, and any other makes the sender wait.
type Lane[T any] struct {
	take    func(ctx context.Context, item T, more bool) error
	dropped func(item T)
	size    int

	mu     sync.Mutex
	queue  []T
	closed bool
	err    error
	wake   chan struct{} // there is something to take, or the end
	room   chan struct{} // closed and replaced whenever an item leaves
	done   chan struct{} // Run has returned
}

// NewLane makes a lane that holds size items. take handles one item; more
// tells that others wait behind it, and an error ends the lane. dropped is
// told, by the sender, what a full live lane let go of; it is nil for a lane
// that makes its sender wait.
func NewLane[T any](size int, take func(ctx context.Context, item T, more bool) error, dropped func(T)) *Lane[T] {
	return &Lane[T]{take: take, dropped: dropped, size: max(size, 1),
		wake: make(chan struct{}, 1), room: make(chan struct{}), done: make(chan struct{})}
}

// Send queues an item. A live lane never waits. An error is the one that ended
// the lane, or the context's.
func (l *Lane[T]) Send(ctx context.Context, item T) error {
	for {
		gone, sent, room, err := l.offer(item)
		if len(gone) > 0 {
			l.dropped(gone[0])
		}
		if sent || err != nil {
			return err
		}
		select {
		case <-room:
		case <-l.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// offer queues the item if it may; gone is what had to make room for it.
func (l *Lane[T]) offer(item T) (gone []T, sent bool, room <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, false, nil, l.failure()
	}
	if len(l.queue) >= l.size {
		if l.dropped == nil {
			return nil, false, l.room, nil
		}
		gone = []T{l.pop()}
	}
	l.queue = append(l.queue, item)
	l.notify()
	return gone, true, nil, nil
}

// failure is why nothing more can be sent.
func (l *Lane[T]) failure() error {
	if l.err != nil {
		return l.err
	}
	return ErrClosed
}

func (l *Lane[T]) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close lets no more in; Run returns when what is queued has been taken.
func (l *Lane[T]) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.notify()
}

// Run takes items until the lane is closed and empty, a take fails, or ctx ends.
func (l *Lane[T]) Run(ctx context.Context) (err error) {
	defer func() { l.finish(err) }()
	for {
		item, more, ok := l.next()
		switch {
		case ok:
			if err := l.take(ctx, item, more); err != nil {
				return err
			}
		case !more:
			return nil
		default:
			select {
			case <-l.wake:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// next pops an item. Without one, more tells whether any may still come.
func (l *Lane[T]) next() (item T, more, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return item, !l.closed, false
	}
	item = l.pop()
	close(l.room)
	l.room = make(chan struct{})
	return item, len(l.queue) > 0, true
}

// pop lets go of the oldest item, in the array that is behind the queue too.
func (l *Lane[T]) pop() T {
	item, none := l.queue[0], *new(T)
	l.queue[0] = none
	l.queue = l.queue[1:]
	return item
}

func (l *Lane[T]) finish(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.err = true, err
	close(l.done)
}

// Waiting is how many items are queued.
func (l *Lane[T]) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Done is closed when Run has returned.
func (l *Lane[T]) Done() <-chan struct{} { return l.done }

// Err is what ended the lane, after Done.
func (l *Lane[T]) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
