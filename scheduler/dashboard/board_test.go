package dashboard

import (
	"strings"
	"testing"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/api"
)

func TestBoardIsFollowed(t *testing.T) {
	b := api.NewBoard()
	b.PutJob(job("a", 1, "starting"))
	b.PutAgents([]*galav1.AgentView{{Name: "host-1"}})
	b.Synced()
	server := serve(t, FromBoard(b.Subscribe), fast())
	r := readEvents(t, server.URL)
	if all := r.want("snapshot"); !strings.Contains(all, `"a"`) || !strings.Contains(all, "host-1") {
		t.Errorf("snapshot %s", all)
	}
	// The subscription's own first update repeats what the snapshot said.
	r.wantJob("a", "starting")
	r.want("agents")
	b.PutJob(job("a", 2, "running"))
	r.wantJob("a", "running")
	b.PutAgents(nil)
	if got := r.want("agents"); got != "[]" {
		t.Errorf("agents %s, want none", got)
	}
}
