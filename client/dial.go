package client

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

const (
	// EnvFarm names the variable with the farm's addresses.
	EnvFarm = "GALA_FARM"
	// DefaultFarm is where `gala up` listens.
	DefaultFarm = "127.0.0.1:8081"
)

// retry repeats what failed because the farm was out of reach; every method is
// idempotent. It gives up within about two seconds.
const retry = `{"methodConfig": [{"name": [{"service": "gala.v1.Farm"}], "retryPolicy": {
	"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2.5,
	"retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// Dial prepares a client of the farm at these addresses (HOST:PORT), which are
// tried in order; with none it asks GALA_FARM (comma-separated), and without
// that it is the farm on this machine. It does not connect: the first call
// does, and every later one falls back to another address when it must.
func Dial(addresses ...string) (*Client, error) {
	return DialWith(addresses, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// DialWith is Dial with the credentials and options of the caller.
func DialWith(addresses []string, opts ...grpc.DialOption) (*Client, error) {
	list, err := Addresses(addresses...)
	if err != nil {
		return nil, err
	}
	state := resolver.State{}
	for _, a := range list {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: a}}})
	}
	farm := manual.NewBuilderWithScheme("gala")
	farm.InitialState(state)
	conn, err := grpc.NewClient(farm.Scheme()+":///farm", append([]grpc.DialOption{
		grpc.WithResolvers(farm),
		grpc.WithDefaultServiceConfig(retry),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("farm %s: %w", strings.Join(list, ","), err)
	}
	return New(conn), nil
}

// Addresses is where Dial looks for the farm.
func Addresses(addresses ...string) ([]string, error) {
	if len(addresses) == 0 {
		addresses = strings.Split(os.Getenv(EnvFarm), ",")
	}
	var list []string
	for _, a := range addresses {
		if a = strings.TrimSpace(a); a == "" {
			continue
		}
		if _, port, err := net.SplitHostPort(a); err != nil || port == "" {
			return nil, fmt.Errorf("farm address %q: want HOST:PORT of its gRPC port, such as %s", a, DefaultFarm)
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return []string{DefaultFarm}, nil
	}
	return list, nil
}
