package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// verbIngest and verbRun are what the worker program is started as.
const verbIngest, verbRun = "ingest", "run"

const (
	fileTask   = "ingest.json"
	killSignal = syscall.SIGKILL
)

// ingest is one live source held on this host.
type ingest struct {
	all   *ingests
	job   string
	key   sourceKey
	dir   runDir
	poked chan struct{}

	// Under the mutex of all.
	holders int
	since   time.Time // the last one went

	proc *process // of live, and before it
}

func newIngest(all *ingests, key sourceKey, dir runDir) *ingest {
	return &ingest{all: all, job: key.job, key: key, dir: dir, since: time.Now(), poked: make(chan struct{}, 1)}
}

func (n *ingest) poke() {
	select {
	case n.poked <- struct{}{}:
	default:
	}
}

// prepare writes down what is to be held.
func (n *ingest) prepare(task *galav1.IngestTask) error {
	text, err := protojson.MarshalOptions{Multiline: true}.Marshal(task)
	if err != nil {
		return fmt.Errorf("encode ingest of job %s: %w", n.job, err)
	}
	if err := os.MkdirAll(string(n.dir), 0o755); err != nil {
		return fmt.Errorf("create directory of ingest: %w", err)
	}
	return n.dir.write(fileTask, text)
}

func (d runDir) task() (*galav1.IngestTask, error) {
	text, err := readBounded(d.path(fileTask), 1<<20)
	if err != nil {
		return nil, err
	}
	task := &galav1.IngestTask{}
	return task, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, task)
}

// onAir waits a while for a live source to send something. The error says why
// it does not.
func onAir(ctx context.Context, dir, name string, patience time.Duration) error {
	conn, err := unixsock.Client(dir, fileSocket)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience+time.Second)
	defer cancel()
	st, err := galav1.NewIngestClient(conn).State(ctx, &galav1.StateRequest{Protocol: version.Protocol, WaitMs: uint32(patience.Milliseconds())}, grpc.WaitForReady(true))
	if err != nil {
		if told := wire.StatusError(err); told != nil {
			return told
		}
		return &media.Error{Code: media.SourceError, Message: "the ingest of the source does not answer", Err: err, Retryable: true, Advice: "see the agent's log"}
	}
	if st.GetPackets() == 0 {
		return &media.Error{Code: media.SourceError, Message: "nothing comes from " + input.Display(name) + " yet", Retryable: true, Advice: "start the source; the job goes on by itself"}
	}
	return nil
}

// restartFirst and restartLast bound the pause before an ingest that died is
// started again.
const restartFirst, restartLast = 100 * time.Millisecond, 5 * time.Second

// live keeps the process running until nobody needs it or ctx ends.
func (n *ingest) live(ctx context.Context) error {
	for pause := restartFirst; ; pause = min(2*pause, restartLast) {
		began := time.Now()
		if err := n.start(); err != nil {
			n.all.log.Error("ingest not started", "job", n.job, "error", err)
		} else if err := n.attend(ctx); err != nil {
			return err
		}
		if time.Since(began) > time.Minute {
			pause = restartFirst
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// start spawns the process, unless it was adopted.
func (n *ingest) start() error {
	if n.proc != nil {
		return nil
	}
	p, err := spawnAs(n.all.worker, verbIngest, n.dir, workerEnv(os.Environ(), "cpu", "", ""))
	if err != nil {
		return err
	}
	n.proc = p
	n.all.log.Info("ingest started", "job", n.job, "pid", p.pid)
	return nil
}

// attend returns nil when the process has died, and an error when it is to be
// left or was ended.
func (n *ingest) attend(ctx context.Context) error {
	died := make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() { died <- n.proc.wait(watching) }()
	for {
		again, over := n.all.idle(n)
		if over {
			stop()
			<-died
			n.end()
			return errIdle
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			<-died
			n.leave()
			return ctx.Err()
		case err := <-died:
			timer.Stop()
			if err != nil && ctx.Err() != nil {
				n.leave()
				return ctx.Err()
			}
			n.all.log.Warn("ingest died", "job", n.job, "how", n.proc.reap().String())
			n.proc = nil
			return nil
		case <-n.poked:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// leave the process to the next agent, or end it with this one.
func (n *ingest) leave() {
	if n.all.last {
		n.end()
		return
	}
	n.proc.leave()
}

// end stops the process: it holds nothing that a kill could lose. One that hangs in
// the kernel is left to it.
func (n *ingest) end() {
	_ = n.all.signal(n.proc, killSignal)
	ctx, cancel := context.WithTimeout(context.Background(), n.all.kill)
	defer cancel()
	if n.proc.wait(ctx) == nil {
		n.proc.reap()
	} else {
		n.all.log.Error("an ingest does not die; it hangs in the kernel: look at the disks and network mounts of this host", "job", n.job, "pid", n.proc.pid)
		n.proc.leave()
	}
	if err := os.RemoveAll(string(n.dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		n.all.log.Warn("remove directory of ingest", "job", n.job, "error", err)
	}
}
