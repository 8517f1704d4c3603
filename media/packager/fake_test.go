package packager_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/packager"
)

// memory is a sink in memory. before, when set, may refuse or delay a write.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	log     []string // "put v/0.m4s"
	before  func(ctx context.Context, op, path string) error
	// forgetful keeps nothing.
	forgetful bool
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func newForgetful() *memory {
	m := newMemory()
	m.forgetful = true
	return m
}

func (m *memory) gate(ctx context.Context, op, path string) error {
	m.mu.Lock()
	before := m.before
	m.mu.Unlock()
	if before == nil {
		return ctx.Err()
	}
	return before(ctx, op, path)
}

func (m *memory) Put(ctx context.Context, path string, body []byte) error {
	if err := m.gate(ctx, "put", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forgetful {
		return nil
	}
	m.objects[path] = bytes.Clone(body)
	m.log = append(m.log, "put "+path)
	return nil
}

func (m *memory) Get(ctx context.Context, path string) ([]byte, error) {
	if err := m.gate(ctx, "get", path); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, media.ErrNotFound)
	}
	return bytes.Clone(b), nil
}

func (m *memory) Delete(ctx context.Context, path string) error {
	if err := m.gate(ctx, "delete", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, path)
	m.log = append(m.log, "delete "+path)
	return nil
}

func (m *memory) setGate(f func(ctx context.Context, op, path string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = f
}

func (m *memory) text(path string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.objects[path])
}

func (m *memory) has(path string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.objects[path]
	return ok
}

// names are the stored paths that start with prefix, sorted.
func (m *memory) names(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for p := range m.objects {
		if strings.HasPrefix(p, prefix) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func (m *memory) history() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

// journal collects events.
type journal struct {
	mu  sync.Mutex
	all []packager.Event
}

func (j *journal) add(e packager.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, e)
}

// segments are the numbers of the events of one kind.
func (j *journal) segments(kind packager.Kind) []int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []int64
	for _, e := range j.all {
		if e.Kind == kind {
			out = append(out, e.Segment)
		}
	}
	return out
}

// picture is an H.264 access unit that says which frame it is.
func picture(index int64, idr bool) media.Packet {
	head := byte(0x41)
	if idr {
		head = 0x65
	}
	nal := binary.BigEndian.AppendUint64([]byte{head}, uint64(index))
	return media.Packet{Data: append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...), Index: index, Key: idr}
}

// fat is a picture of so many bytes.
func fat(p media.Packet, size int) media.Packet {
	p.Data = append(bytes.Clone(p.Data), make([]byte, size)...)
	binary.BigEndian.PutUint32(p.Data, uint32(len(p.Data)-4))
	return p
}

// pictures are frames [from, to) of a rendition that shows every step-th, in
// display order, an IDR every gop frames.
func pictures(from, to, gop, step int64) []media.Packet {
	var out []media.Packet
	for f := from; f < to; f += step {
		out = append(out, picture(f, f%gop == 0))
	}
	return out
}

// sounds are audio frames [from, to).
func sounds(from, to int64) []media.Packet {
	var out []media.Packet
	for k := from; k < to; k++ {
		out = append(out, media.Packet{Data: binary.BigEndian.AppendUint64(nil, uint64(k)), Index: k, Key: true})
	}
	return out
}
