package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/galafarm/gala/agent"
	"github.com/galafarm/gala/agent/supervisor"
	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

type devicesCmd struct {
	JSON   bool   `name:"json" help:"Print them as the scheduler gets them, with what else was found."`
	Worker string `help:"Worker program, where it is not beside this one." type:"path"`
}

func (c *devicesCmd) Run(ctx context.Context) error {
	worker, err := agent.WorkerPath(c.Worker)
	if err != nil {
		return err
	}
	found := agent.Look(ctx, worker, supervisor.DefaultLimits())
	if c.JSON {
		return printJSON(found)
	}
	return printTable(found)
}

func printJSON(found agent.Found) error {
	hello := &galav1.Hello{
		Name: agent.HostName(), Version: version.String(), Protocol: version.Protocol, Devices: found.Devices,
		Labels: map[string]string{"nvidia_driver": found.Driver, "gpu_reason": found.GPUReason},
	}
	text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(hello)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(text))
	return err
}

func printTable(found agent.Found) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tROLE\tMODEL\tENCODERS\tWHY")
	for _, d := range found.Devices {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.GetId(), d.GetRole(), d.GetModel(), cmp.Or(strings.Join(d.GetEncoders(), ","), "-"), d.GetRoleReason())
	}
	if found.GPUReason != "" {
		fmt.Fprintf(w, "gpu\t-\t-\t-\t%s\n", found.GPUReason)
	}
	return w.Flush()
}

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("gala-agent", version.String())
	return err
}
