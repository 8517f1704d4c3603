package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/galafarm/gala/client"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Exit codes; `gala help exit-codes` prints them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitInterrupted = 130
)

// failure ends a command: what went wrong, what to do next, and the exit code.
type failure struct {
	code            int
	message, advice string
}

func (f *failure) Error() string { return f.message }

// fail tells the person and gives the exit code.
func (sh *shell) fail(err error) int {
	if err == nil {
		return exitDone
	}
	f := sh.explain(err)
	if f.message != "" {
		fmt.Fprintf(sh.err, "gala: %s\n", f.message)
	}
	if f.advice != "" {
		fmt.Fprintf(sh.err, "      %s\n", strings.ReplaceAll(f.advice, "\n", "\n      "))
	}
	return f.code
}

// explain gives any error its exit code and, where it has none, advice.
func (sh *shell) explain(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if errors.Is(err, context.Canceled) && sh.ctx.Err() != nil {
		return &failure{code: exitInterrupted, message: "interrupted"}
	}
	grpcErr, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return &failure{code: exitFailed, message: err.Error()}
	}
	st := grpcErr.GRPCStatus()
	advice := adviceIn(st)
	// The status without grpc's own wrapping, in the sentence around it, and
	// the farm's advice in its place.
	said := strings.TrimSuffix(st.Message(), ": "+advice)
	message := strings.Replace(err.Error(), grpcErr.Error(), said, 1)
	switch st.Code() {
	case codes.Unavailable:
		if advice != "" { // a farm that answers, but not now
			return &failure{exitUnreachable, message, advice}
		}
		return sh.unreachable(st.Message())
	case codes.NotFound:
		return &failure{exitFailed, message, "`gala live ls` and `gala vod ls` list the jobs"}
	case codes.Canceled:
		return &failure{exitInterrupted, "interrupted", ""}
	case codes.Unimplemented:
		if advice == "" {
			advice = "the farm is of another version: compare `gala version` with `gala fleet ls`"
		}
	}
	return &failure{exitFailed, message, advice}
}

// adviceIn is what the farm says to do next.
func adviceIn(st *status.Status) string {
	for _, d := range st.Details() {
		if m, ok := d.(*errdetails.LocalizedMessage); ok {
			return m.GetMessage()
		}
	}
	return ""
}

func (sh *shell) unreachable(why string) *failure {
	list, _ := client.Addresses(sh.flags.Farm...)
	return &failure{
		code:    exitUnreachable,
		message: fmt.Sprintf("no farm answers at %s: %s", strings.Join(list, ", "), why),
		advice:  "start one with `gala up`, or say where it is: --farm HOST:PORT or " + client.EnvFarm,
	}
}

// farm is the farm that the flags name; it connects with the first call.
func (sh *shell) farm() (*client.Client, error) {
	c, err := client.Dial(sh.flags.Farm...)
	if err != nil {
		return nil, &failure{code: exitUsage, message: err.Error()}
	}
	return c, nil
}
