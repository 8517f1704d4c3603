// Package farm runs a whole farm for a benchmark: `gala up` with ports and a
// data directory of its own, and says what its processes cost.
//
// Invariants: nothing of it outlives Stop; costs are read from the kernel's
// accounting, of processes that this package's farm started and no others.
//
// It must not know what is measured with it.
package farm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/client"
)

// TwoRungs is a ladder that a small machine encodes with room to catch up.
const TwoRungs = `name: two
segment: {live: 2s, vod: 6s}
video:
  - {name: 360p, height: 360, codec: h264, bitrate: 700k, preset: fastest}
  - {name: 240p, height: 240, codec: h264, bitrate: 300k, preset: fastest}
audio:
  - {name: stereo, codec: aac, channels: 2, bitrate: 96k, languages: all}
`

// Farm is a running `gala up`.
type Farm struct {
	Page   string // http://HOST:PORT
	Data   string
	Client *client.Client
	// Address is the gRPC one.
	Address string

	gala  string // the program
	dir   string
	cmd   *exec.Cmd
	agent int // pid
}

// How long a farm may take to come up, and to go.
const upWithin, downWithin = 30 * time.Second, 30 * time.Second

// Start brings a farm up; everything that it keeps and logs is in dir.
func Start(ctx context.Context, gala, dir string) (*Farm, error) {
	f := &Farm{Data: filepath.Join(dir, "data"), gala: gala, dir: dir}
	if err := f.start(ctx, "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	return f, nil
}

// Restart waits for the end of a farm that was killed and brings another up on
// its data, at its addresses: the client finds it there.
func (f *Farm) Restart(ctx context.Context) error {
	_ = f.cmd.Wait() // how it ended is known
	return f.start(ctx, strings.TrimPrefix(f.Page, "http://"), f.Address)
}

func (f *Farm) start(ctx context.Context, listen, grpc string) error {
	log, err := os.OpenFile(filepath.Join(f.dir, "farm.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	ready := filepath.Join(f.dir, "ready.json")
	_ = os.Remove(ready) // of a farm that was killed
	f.cmd = exec.Command(f.gala, "up", "--data", f.Data, "--listen", listen, "--grpc", grpc, "--ready-file", ready)
	f.cmd.Stdout, f.cmd.Stderr = log, log
	// A group of its own: a signal typed at the terminal reaches only us, and
	// the farm is stopped in order.
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := f.cmd.Start(); err != nil {
		return fmt.Errorf("start the farm: %w", err)
	}
	if err := f.attach(ctx, ready); err != nil {
		return errors.Join(fmt.Errorf("%w (its log is %s)", err, log.Name()), f.Stop())
	}
	return nil
}

func (f *Farm) attach(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	if err := f.await(ctx, ready); err != nil {
		return err
	}
	for _, p := range harness.Children(f.cmd.Process.Pid) {
		if p.Name == "gala-agent" {
			f.agent = p.PID
		}
	}
	if f.agent == 0 {
		return errors.New("the farm has no agent")
	}
	if f.Client != nil {
		return nil
	}
	var err error
	f.Client, err = client.Dial(f.Address)
	return err
}

// await reads the ready file as soon as it is there.
func (f *Farm) await(ctx context.Context, ready string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(ready)
		if err == nil {
			var r struct{ Page, GRPC string }
			err = json.Unmarshal(text, &r)
			f.Page, f.Address = strings.TrimSuffix(r.Page, "/"), r.GRPC
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the farm did not come up: %w", context.Cause(ctx))
		}
	}
}

// Stop ends the farm and waits for it.
func (f *Farm) Stop() error {
	if f.Client != nil {
		f.Client.Close()
	}
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the farm: %w", err)
	}
	timer := time.AfterFunc(downWithin, func() { _ = f.cmd.Process.Kill() })
	defer timer.Stop()
	var ended *exec.ExitError
	if err := f.cmd.Wait(); err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("stop the farm: %w", err)
	}
	return nil
}

// Cost is the CPU time that the parts of a farm have used so far, in seconds.
type Cost struct {
	Gala   float64 `json:"gala_s"`  // scheduler, origin, page
	Agent  float64 `json:"agent_s"` // itself
	Redis  float64 `json:"redis_s"`
	Worker float64 `json:"worker_s"` // those that run, and those that have ended, probes too
}

// All is the whole farm.
func (c Cost) All() float64 { return c.Gala + c.Agent + c.Redis + c.Worker }

// Since is what was used after b.
func (c Cost) Since(b Cost) Cost {
	return Cost{c.Gala - b.Gala, c.Agent - b.Agent, c.Redis - b.Redis, c.Worker - b.Worker}
}

// Cost looks at every process of the farm.
func (f *Farm) Cost() (Cost, error) {
	gala, err := harness.Look(f.cmd.Process.Pid)
	if err != nil {
		return Cost{}, err
	}
	agent, err := harness.Look(f.agent)
	if err != nil {
		return Cost{}, err
	}
	c := Cost{Gala: gala.CPU, Agent: agent.CPU, Worker: agent.Waited}
	for _, p := range harness.Children(gala.PID) {
		if p.Name == "redis-server" {
			c.Redis = p.CPU
		}
	}
	for _, p := range harness.Children(agent.PID) {
		c.Worker += p.CPU + p.Waited
	}
	return c, nil
}

// Memory is the largest resident set of each process so far, in bytes.
func (f *Farm) Memory() (gala, agent int64) {
	g, _ := harness.Look(f.cmd.Process.Pid)
	a, _ := harness.Look(f.agent)
	return g.Peak, a.Peak
}
