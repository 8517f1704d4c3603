package main

import (
	"context"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler"
	"github.com/galafarm/gala/scheduler/dashboard"
)

// pageSource shows the page what the scheduler has.
type pageSource struct{ farm *scheduler.Scheduler }

// Snapshot implements dashboard.Source.
func (s pageSource) Snapshot(context.Context) (dashboard.View, error) {
	if err := s.farm.Ready(); err != nil {
		return dashboard.View{}, err
	}
	u := s.farm.Snapshot()
	return dashboard.View{Jobs: u.Jobs, Agents: u.Agents}, nil
}

// Subscribe implements dashboard.Source.
func (s pageSource) Subscribe(ctx context.Context) (<-chan dashboard.Change, error) {
	changes := make(chan dashboard.Change, 16)
	updates := s.farm.Subscribe()
	go func() {
		defer close(changes)
		defer updates.Close()
		for {
			u, err := updates.Next(ctx)
			if err != nil || !pass(ctx, changes, u) {
				return
			}
		}
	}()
	return changes, nil
}

// pass sends one update's parts; false when the page has gone.
func pass(ctx context.Context, out chan<- dashboard.Change, u scheduler.Update) bool {
	var parts []dashboard.Change
	for _, j := range u.Jobs {
		parts = append(parts, dashboard.Change{Job: j})
	}
	if u.Fleet {
		parts = append(parts, dashboard.Change{Agents: append([]*galav1.AgentView{}, u.Agents...)})
	}
	for _, p := range parts {
		select {
		case <-ctx.Done():
			return false
		case out <- p:
		}
	}
	return true
}
