package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func frames(n int64) *galav1.WorkerStatus { return &galav1.WorkerStatus{FramesDecoded: n} }

// A new watcher hears the present at once; then nothing until something changes.
func TestBoardTellsThePresentAndEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		_, seen, err := b.next(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan *galav1.WatchResponse, 1)
		go func() {
			news, _, err := b.next(t.Context(), seen)
			if err != nil {
				t.Error(err)
			}
			got <- news
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("news without a change")
		default:
		}
		b.status(frames(7))
		if n := (<-got).GetStatus().GetFramesDecoded(); n != 7 {
			t.Errorf("heard of %d frames", n)
		}
	})
}

// A slow watcher misses what was replaced and nothing else: proposal and
// outcome stay until they are taken back.
func TestBoardKeepsTheLatest(t *testing.T) {
	b := newBoard()
	b.propose(0, &galav1.Anchor{Frame: 5})
	for n := range int64(100) {
		b.status(frames(n))
	}
	news, seen, err := b.next(t.Context(), 0)
	if err != nil || news.GetStatus().GetFramesDecoded() != 99 || news.GetProposal().GetFrame() != 5 || news.GetOutcome() != nil {
		t.Errorf("news %v, %v", news, err)
	}
	b.propose(0, nil)
	b.end(&galav1.Outcome{Code: galav1.OutcomeCode_OUTCOME_CODE_STOPPED, Status: frames(100)})
	news, _, err = b.next(t.Context(), seen)
	if err != nil || news.GetProposal() != nil || news.GetOutcome().GetCode() != galav1.OutcomeCode_OUTCOME_CODE_STOPPED || news.GetStatus().GetFramesDecoded() != 100 {
		t.Errorf("last news %v, %v", news, err)
	}
}

func TestBoardLetsGoOfAWatcherThatLeft(t *testing.T) {
	b := newBoard()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, seen, err := b.next(ctx, 1); !errors.Is(err, context.Canceled) || seen != 1 {
		t.Errorf("seen %d, %v", seen, err)
	}
}

// Any number of watchers, each at its own pace, hear the end.
func TestBoardHasManyWatchers(t *testing.T) {
	b := newBoard()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			last := int64(-1)
			for seen := uint64(0); ; {
				news, revision, err := b.next(t.Context(), seen)
				if err != nil || revision <= seen {
					t.Errorf("revision %d after %d, %v", revision, seen, err)
					return
				}
				if n := news.GetStatus().GetFramesDecoded(); n < last {
					t.Errorf("frames went back from %d to %d", last, n)
				} else {
					last = n
				}
				if seen = revision; news.GetOutcome() != nil {
					return
				}
			}
		})
	}
	for n := range int64(200) {
		b.status(frames(n))
	}
	b.end(&galav1.Outcome{Status: frames(200)})
	wg.Wait()
}
