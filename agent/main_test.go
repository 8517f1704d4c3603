package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// The test program is also a worker, an agent and an agent's parent: what a
// kill does can only be seen on real processes.
func TestMain(m *testing.M) {
	switch {
	case fakeworker.Main():
	case len(os.Args) == 3 && os.Args[1] == "agent":
		agentMain(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "parent":
		parentMain(os.Args[2])
	default:
		goleak.VerifyTestMain(m)
	}
}

// agentMain is an agent process; its configuration is JSON.
func agentMain(config string) {
	var cfg Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		panic(err)
	}
	if cfg.Parent != 0 {
		cfg.Parent = os.Getppid()
	}
	cfg.Connect = insecureLink()
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // as the program does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// parentMain starts an agent and waits to be killed.
func parentMain(config string) {
	self, _ := os.Executable()
	cmd := exec.Command(self, "agent", config)
	// A pipe, as whoever reformats or keeps the log has it: it breaks with us.
	cmd.Stderr = io.MultiWriter(os.Stderr)
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	_ = cmd.Wait()
	syscall.Exit(0)
}

func insecureLink() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
}
