// Package media is the specification of a pipeline and the words its parts
// share: what a worker is asked to make, the packets that encoders hand to
// packagers, the sinks that take finished objects, and the outcomes.
//
// Invariants: all media time is an index on the job's grid; a packet carries
// its place, never a clock. It must not know libav, gRPC, HTTP or processes.
package media

import (
	"context"
	"io"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// Spec is one assignment in the words of the media engine.
type Spec struct {
	Job, Assignment string
	Epoch           uint64
	// Live paces the source by its clock and keeps a sliding window; otherwise
	// the source is read as fast as the encoders take it, to its end.
	Live       bool
	Input      string
	Grid       timeline.Grid
	Anchor     *timeline.Anchor // nil: the pipeline proposes one
	Renditions []ladders.Rendition
	// VideoTrack and AudioTracks are stream indexes in the container.
	VideoTrack  int
	AudioTracks []int
	// FirstSegment is the first to encode when Resume is set; what lies before
	// is at the destination already.
	Resume       bool
	FirstSegment int64
	Outputs      []string // tree URLs: file:///dir/ID or http://host/origin/ID
	// WritesManifest: this worker holds the job's manifest lease.
	WritesManifest bool
	Window         time.Duration
	// Thumbnails of a clip, nil for none; MP4 names the renditions that also
	// become one progressive file each.
	Thumbnails *ladders.Thumbnails
	MP4        []string
	// Protection is nil for output in the clear.
	Protection *Protection
	// Logos are the PNG files that the renditions' overlays name, by those names.
	Logos map[string][]byte
	// Replica counts the runs of a redundant job from 1, of Replicas; 0 is the only
	// run of a job. The outputs of a replica end with its folder, r1.
	Replica, Replicas int
	// Steering of players to replicas: "" by the job's own steering manifest, "off",
	// or the address of another steering server.
	Steering string
	// Loss and Slate say what happens when a live input is lost.
	Loss  Loss
	Slate Slate
}

// Protection is how a job's output is encrypted, and where its keys come from;
// the keys themselves are fetched by who encrypts.
type Protection struct {
	Scheme string // cbcs or cenc
	Keys   string // the path of a key file, or the address of a key server
}

// Packet is one encoded frame on the grid, in decode order.
type Packet struct {
	// Data is the access unit: length-prefixed NAL units (4 bytes) for H.264
	// and HEVC, OBUs for AV1, a raw frame for audio.
	Data []byte
	// Index is the grid frame at which a video packet is presented, or the
	// audio frame number on its AudioGrid.
	Index int64
	// Key: an IDR, or any audio frame.
	Key bool
}

// CodecConfig is what an encoder knows once it is open, for the init segment.
type CodecConfig struct {
	// Extradata: avcC / hvcC / av1C payload, AudioSpecificConfig, dOps payload.
	Extradata []byte
	// FrameSize in samples, audio only.
	FrameSize int64
	// Sample aspect ratio of the encoded picture, video only.
	SARNum, SARDen int
	// ISO/IEC 23091-2 code points, 2 (unspecified) where unknown.
	Primaries, Transfer, Matrix int
	FullRange                   bool
	// What HDR pictures say about themselves, nil where they do not.
	Mastering *Mastering
	Light     *LightLevel
}

// Mastering is the display on which HDR pictures were graded (SMPTE ST 2086),
// in the units of ISO/IEC 14496-12 §12.1.7.
type Mastering struct {
	Primaries [3][2]uint16 // x, y of green, blue, red in 1/50000
	White     [2]uint16
	Max, Min  uint32 // 1/10000 cd/m²
}

// LightLevel is the brightest sample of a clip and of the average of a picture
// (CTA-861.3), in cd/m².
type LightLevel struct{ Max, Average uint16 }

// Sink takes finished objects of one job's tree. Paths are relative to the
// tree ("720p/12.m4s"). Implementations are safe for concurrent use.
type Sink interface {
	// Put stores body whole or not at all.
	Put(ctx context.Context, path string, body []byte) error
	// Get reads an object back; ErrNotFound when there is none.
	Get(ctx context.Context, path string) ([]byte, error)
	// Delete removes an object; deleting what is not there succeeds.
	Delete(ctx context.Context, path string) error
}

// Guarded is a Sink of a place that does not know epochs, where a writer has to
// look before it writes.
type Guarded interface {
	// Replace is Put of what is rewritten. Where the place does not refuse older
	// writers itself, may is asked first, with the beginning of what is there
	// (at least 512 bytes of a longer object); its error is what Replace returns.
	// What changes between the question and the write is noticed where the place
	// offers conditional writes, and asked about again.
	Replace(ctx context.Context, path string, body []byte, may func(old []byte) error) error
}

// Content is an object that is too large for memory.
type Content struct {
	Size int64
	// Open reads it from its beginning; it is called again for another attempt.
	Open func() io.Reader
}

// Filer is a Sink that takes such objects. One of the same name is replaced.
type Filer interface {
	PutFile(ctx context.Context, path string, file Content) error
}
