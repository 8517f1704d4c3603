package supervisor

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// rewatch is the pause before a broken Watch is opened again. The process
// itself is watched by its pidfd.
const rewatch = 250 * time.Millisecond

// watch greets the worker and then listens to it until the run is over.
func (r *run) watch(ctx context.Context, conn *grpc.ClientConn) {
	w := galav1.NewWorkerClient(conn)
	if !r.greet(ctx, w) {
		return
	}
	for ctx.Err() == nil {
		if err := r.listen(ctx, w); err != nil && ctx.Err() == nil {
			r.log.Warn("watch worker", "error", err)
		}
		sleep(ctx, rewatch)
	}
}

// greet is the handshake within its deadline. A connection that broke is tried
// again: if the worker has died, its process says so, and says how.
func (r *run) greet(ctx context.Context, w galav1.WorkerClient) bool {
	deadline, cancel := context.WithTimeout(ctx, r.env.limits.Ready)
	defer cancel()
	answer, err := greet(deadline, w, r.spec)
	for status.Code(err) == codes.Unavailable && sleep(deadline, rewatch) {
		answer, err = greet(deadline, w, r.spec)
	}
	switch {
	case ctx.Err() != nil || err != nil && r.proc.ended():
		return false
	case deadline.Err() != nil && err != nil:
		r.request(newStop(causeStartTimeout, fmt.Sprintf("it was not ready within %s", r.env.limits.Ready)))
		return false
	case err != nil:
		r.request(newStop(causeStartTimeout, err.Error()))
		return false
	}
	r.mu.Lock()
	r.ready = true
	r.mu.Unlock()
	r.greeted(answer)
	return true
}

// greeted: an adopted worker may be of another build, and one that was started
// in the middle of an update too; the protocol is what has to fit.
func (r *run) greeted(answer *galav1.ReadyResponse) {
	if answer.GetVersion() != version.String() {
		r.log.Warn("the worker is of another build", "version", answer.GetVersion(), "agent_version", version.String())
	}
	r.log.Info("worker ready", "version", answer.GetVersion())
}

func (r *run) listen(ctx context.Context, w galav1.WorkerClient) error {
	stream, err := w.Watch(ctx, &galav1.WatchRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		r.take(m)
		if m.GetOutcome() != nil {
			return r.linger(ctx)
		}
	}
}

// take passes what the worker said upward.
func (r *run) take(m *galav1.WatchResponse) {
	r.mu.Lock()
	fresh := m.GetProposal() != nil && !proto.Equal(m.GetProposal(), r.proposal)
	fresh = fresh || m.GetProposal() != nil && r.of != m.GetProposalInput()
	r.proposal, r.of = m.GetProposal(), m.GetProposalInput()
	r.word = m.GetOutcome()
	if m.GetStatus() != nil {
		r.status = m.GetStatus()
	}
	r.mu.Unlock()
	// An outcome is reported when the process is gone, never before.
	if m.GetStatus() != nil {
		r.env.reports.Report(r.newReport(m.GetStatus(), nil))
	}
	if fresh {
		r.env.reports.Propose(&galav1.AnchorProposal{
			Assignment: r.spec.GetId(), Job: r.spec.GetJob(), Epoch: r.spec.GetEpoch(), Anchor: m.GetProposal(), Input: m.GetProposalInput(),
		})
	}
}

// linger bounds the time between a worker's last word and its end.
func (r *run) linger(ctx context.Context) error {
	if sleep(ctx, r.env.limits.Linger) {
		r.request(newStop(causeLinger, "it told its outcome but did not exit"))
	}
	<-ctx.Done()
	return nil
}

// answer hands the scheduler's anchors, and the operator's orders, to the worker
// until it takes them.
func (r *run) answer(ctx context.Context, conn *grpc.ClientConn) {
	w := galav1.NewWorkerClient(conn)
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-r.anchors:
			r.tell(ctx, "set anchor", func() bool { return len(r.anchors) > 0 }, func(ctx context.Context) error {
				_, err := w.SetAnchor(ctx, &galav1.SetAnchorRequest{Anchor: a.GetAnchor(), Input: a.GetInput()}, grpc.WaitForReady(true))
				return err
			})
		case o := <-r.orders:
			r.tell(ctx, "switch input", func() bool { return len(r.orders) > 0 }, func(ctx context.Context) error {
				_, err := w.Switch(ctx, &galav1.SwitchRequest{Order: o}, grpc.WaitForReady(true))
				return err
			})
		}
	}
}

// tell tries until the worker has taken it, or there is a newer one to tell.
func (r *run) tell(ctx context.Context, what string, newer func() bool, call func(context.Context) error) {
	for ctx.Err() == nil && !newer() {
		deadline, cancel := context.WithTimeout(ctx, r.env.limits.Ready)
		err := call(deadline)
		cancel()
		if err == nil || status.Code(err) == codes.Unimplemented {
			return
		}
		r.log.Warn(what, "error", err)
		sleep(ctx, rewatch)
	}
}

// offer keeps the newest decision only.
func (r *run) offer(a *galav1.AnchorDecision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest(r.anchors, a)
}

// order keeps the newest order only.
func (r *run) order(o *galav1.InputOrder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest(r.orders, o)
}

func newest[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

func newStop(c cause, reason string) stopRecord {
	return stopRecord{Cause: c, Reason: reason, At: time.Now()}
}

// sleep says whether the time went by before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
