package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/media"
)

// gpuBook is a file of the GPUs that this host has had, so that the next agent names
// one that is missing. Removing the file forgets them.
type gpuBook struct {
	path string
	log  *slog.Logger
	last []byte // as on disk
}

// bookedGPU is one of them. What trials found is kept for a next agent whose workers
// leave no session for a trial.
type bookedGPU struct {
	UUID     string             `json:"uuid"`
	Model    string             `json:"model"`
	Memory   int64              `json:"memory_bytes,omitempty"`
	Lost     time.Time          `json:"lost_since,omitzero"`
	Driver   string             `json:"driver,omitempty"`
	Sessions []media.GPUSession `json:"tried,omitempty"`
	Complete bool               `json:"complete,omitempty"`
}

// forgottenAfter is how long a lost GPU is missed by agents that have never seen it: an
// image of another host brings that host's GPUs along.
const forgottenAfter = 7 * 24 * time.Hour

func newGPUBook(dir string, log *slog.Logger) *gpuBook {
	return &gpuBook{path: filepath.Join(dir, "gpus.json"), log: log}
}

// read is empty for a book that is not there, or not legible.
func (b *gpuBook) read() (all []bookedGPU) {
	text, err := os.ReadFile(b.path)
	if err == nil {
		b.last = text
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.log.Warn("the GPUs that this host has had are not known", "error", fmt.Errorf("read %s: %w", b.path, err))
		return nil
	}
	return all
}

// write is temp and rename, and only what is new.
func (b *gpuBook) write(all []bookedGPU) {
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil || bytes.Equal(text, b.last) {
		return
	}
	b.last = text // one that cannot be written is told once
	tmp := b.path + ".new"
	if err = os.WriteFile(tmp, text, 0o644); err == nil {
		err = os.Rename(tmp, b.path)
	}
	if err != nil {
		b.log.Warn("write down this host's GPUs", "error", err)
	}
}

// remember those of earlier agents; those that are not found now are missing. The
// driver's answer of later decides whether they are lost.
func (g *gpus) remember(reason string) {
	if g.book == nil {
		return
	}
	for _, b := range g.book.read() {
		c := g.card(b.UUID)
		if c == nil && !b.Lost.IsZero() && time.Since(b.Lost) > forgottenAfter {
			continue
		}
		if c == nil {
			c = g.add(gpu.GPU{UUID: b.UUID, Model: b.Model, Memory: b.Memory})
			why := "this host has had it, and the NVIDIA driver does not list it now"
			if reason != "" {
				why += ": " + reason
			}
			c.leave(g.driver, why, false)
			c.absent = true
		}
		c.since = b.Lost
		c.evidence = evidence{driver: b.Driver, sessions: b.Sessions, complete: b.Complete}
	}
}

// missed are the GPUs of earlier agents that are not found now.
func (g *gpus) missed() (uuids []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.cards {
		if c.absent {
			uuids = append(uuids, c.UUID)
		}
	}
	return uuids
}

// note what the next agent should know.
func (g *gpus) note() {
	if g.book == nil {
		return
	}
	g.mu.Lock()
	all := make([]bookedGPU, 0, len(g.cards))
	for _, c := range g.cards {
		all = append(all, bookedGPU{
			UUID: c.UUID, Model: c.Model, Memory: c.Memory, Lost: c.since.UTC().Truncate(time.Second),
			Driver: c.evidence.driver, Sessions: c.evidence.sessions, Complete: c.evidence.complete,
		})
	}
	g.mu.Unlock()
	if len(all) > 0 || g.book.last != nil {
		g.book.write(all)
	}
}

// missing says since when a card is lost that this agent has never seen.
func (c *card) missing(b *gpuBook) string {
	return fmt.Sprintf("lost since %s: the NVIDIA driver does not list this GPU any more; reset it or reboot this host, or, if it was taken out, remove %s and start gala-agent again",
		c.since.UTC().Format("2006-01-02 15:04 UTC"), b.path)
}
