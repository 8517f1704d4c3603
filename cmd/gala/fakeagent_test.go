package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// envFakeAgent makes this test program an agent that attaches and does nothing.
const envFakeAgent = "GALA_TEST_FAKE_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(envFakeAgent) != "" && slices.Contains(os.Args, "--scheduler") {
		if err := fakeAgent(os.Args[slices.Index(os.Args, "--scheduler")+1]); err != nil {
			fmt.Fprintln(os.Stderr, "fake agent:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func fakeAgent(scheduler string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	conn, err := grpc.NewClient(scheduler, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := galav1.NewFleetClient(conn).Attach(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	err = stream.Send(&galav1.AttachRequest{Message: &galav1.AttachRequest_Hello{Hello: &galav1.Hello{
		Name: "fake", Instance: "1", Protocol: version.Protocol,
		Devices: []*galav1.DeviceOffer{{Id: "cpu", Role: "encode", Encoders: []string{"libx264"}, EncodePixelsPerSecond: 1e9}},
	}}})
	for err == nil && ctx.Err() == nil {
		_, err = stream.Recv()
	}
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "fake agent was asked to stop")
		return nil
	}
	return err
}
