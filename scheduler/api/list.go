package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/job"
)

const (
	defaultPage = 50
	// scanned bounds how many records one page reads to find matching ones: a
	// page may come back short, with a token to go on.
	scanned = 2000
)

// ListJobs implements gala.v1.Farm, newest first.
func (f *Farm) ListJobs(ctx context.Context, req *galav1.ListJobsRequest) (*galav1.ListJobsResponse, error) {
	before, err := readToken(req.GetPageToken())
	if err != nil {
		return nil, invalid("PAGE_TOKEN", "leave it out to begin at the newest job", "page_token %q is not one of this farm's", req.GetPageToken())
	}
	size := int(req.GetPageSize())
	if size == 0 {
		size = defaultPage
	}
	out := &galav1.ListJobsResponse{}
	for read := 0; read < scanned; {
		jobs, err := f.Store.List(ctx, before, size+1)
		if err != nil {
			return nil, rpcError(err)
		}
		for _, j := range jobs {
			if len(out.Jobs) == size {
				out.NextPageToken = token(before)
				return out, nil
			}
			before = j.Seq
			if wanted(req, j) {
				out.Jobs = append(out.Jobs, f.Board.Show(j))
			}
		}
		if len(jobs) <= size {
			return out, nil
		}
		read += len(jobs)
	}
	out.NextPageToken = token(before)
	return out, nil
}

func wanted(req *galav1.ListJobsRequest, j job.Job) bool {
	if k := req.GetKind(); k != galav1.JobKind_JOB_KIND_UNSPECIFIED && k != kindProto(j.Spec.Kind) {
		return false
	}
	states := req.GetStates()
	return len(states) == 0 || slices.Contains(states, stateProto(j.State))
}

// A token is the place of the last record that was looked at; opaque, so that
// it may become something else.
func token(seq uint64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1." + strconv.FormatUint(seq, 10)))
}

func readToken(t string) (uint64, error) {
	if t == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(t)
	if err != nil {
		return 0, err
	}
	if len(b) < 3 || string(b[:2]) != "1." {
		return 0, fmt.Errorf("page token of another form")
	}
	return strconv.ParseUint(string(b[2:]), 10, 64)
}
