package fakeworker

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// SilentSource is on air for nobody; any other live source is at once.
const SilentSource = "srt://127.0.0.1:9000?streamid=silent"

// ingest holds nothing, and says so until it is killed.
func ingest(dir string) int {
	text, err := os.ReadFile(dir + "/ingest.json")
	task := &galav1.IngestTask{}
	if err == nil {
		err = protojson.Unmarshal(text, task)
	}
	var l net.Listener
	if err == nil {
		l, err = net.Listen("unix", "sock") // relative, as a worker's
	}
	if err == nil {
		server := grpc.NewServer()
		galav1.RegisterIngestServer(server, fakeIngest{task: task})
		err = server.Serve(l)
	}
	fmt.Fprintln(os.Stderr, "fake ingest:", err)
	return 1
}

type fakeIngest struct {
	galav1.UnimplementedIngestServer
	task *galav1.IngestTask
}

func (f fakeIngest) State(ctx context.Context, r *galav1.StateRequest) (*galav1.StateResponse, error) {
	st := &galav1.StateResponse{Protocol: version.Protocol, Job: f.task.GetJob(), Packets: 1, KeptUs: 1_000_000}
	if strings.HasSuffix(f.task.GetInput(), "streamid=silent") {
		st.Packets, st.KeptUs = 0, 0
		select {
		case <-time.After(time.Duration(r.GetWaitMs()) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return st, nil
}
