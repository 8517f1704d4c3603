package libav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// demuxer reads packets of an opened container, or of a ring. Timestamps are
// unwrapped and continuous (clock); the caller owns the packets.
type demuxer struct {
	name   string
	reader input.Reader
	io     *astiav.IOContext
	fc     *astiav.FormatContext
	ring   *ringFeed // instead of reader and io
	clock  *clock
	// live: connected to, never read from its start. format is known or "";
	// interrupt and release belong to a native protocol, which has no reader.
	live      bool
	format    string
	interrupt *astiav.IOInterrupter
	release   func()
	began     time.Time // when a live source's first bytes came, about
	// readErr is what the reader said last: libavformat turns it into a number.
	readErr error
	cancel  context.CancelFunc // of what the reader waits for
}

const ioBuffer = 64 << 10

// openDemuxer opens an input within the rules. Every error is a *media.Error.
func openDemuxer(ctx context.Context, name string, rules input.Rules) (*demuxer, error) {
	ctx, cancel := context.WithCancel(ctx)
	reader, err := input.Open(ctx, name, rules)
	if err != nil {
		cancel()
		return nil, err
	}
	d := &demuxer{name: name, reader: reader, cancel: cancel}
	if err := d.open(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *demuxer) open(ctx context.Context) error {
	d.fc = astiav.AllocFormatContext()
	if d.fc == nil {
		return errors.New("allocate format context")
	}
	if d.io == nil {
		var err error
		if d.io, err = astiav.AllocIOContext(ioBuffer, false, d.readBytes(ctx), d.seek(), nil); err != nil {
			return fmt.Errorf("allocate reader: %w", err)
		}
	}
	d.fc.SetPb(d.io)
	d.fc.SetFlags(d.fc.Flags().Add(astiav.FormatContextFlagCustomIo))
	d.fc.SetIOOpener(denyNested, func(*astiav.IOContext) error { return nil })
	if d.interrupt != nil {
		d.fc.SetIOInterrupter(d.interrupt)
	}
	opts := d.options()
	defer opts.Free()
	var format *astiav.InputFormat
	if d.format != "" {
		format = astiav.FindInputFormat(d.format)
	}
	if err := d.fc.OpenInput("", format, opts); err != nil {
		return d.unreadable("open", err)
	}
	d.clock = newClock(d.fc)
	if err := d.fc.FindStreamInfo(nil); err != nil {
		// Splices in the first seconds can upset the analysis; the decoders
		// will tell what is there.
		if d.fc.NbStreams() == 0 {
			return d.unreadable("analyse", err)
		}
		d.clock.notes.add("the container's description is damaged: tracks are taken as they decode")
	}
	return nil
}

func (d *demuxer) options() *astiav.Dictionary {
	opts := astiav.NewDictionary()
	all := map[string]string{
		"correct_ts_overflow": "0", // we unwrap ourselves: timeline.Unwrap33
		"scan_all_pmts":       "1",
		"protocol_whitelist":  "", // nothing is opened by libavformat
	}
	if d.live {
		all["analyzeduration"], all["probesize"] = liveAnalysisUS, liveProbeBytes
	}
	for k, v := range all {
		_ = opts.Set(k, v, 0)
	}
	return opts
}

// denyNested refuses what a container refers to: external tracks, segments, keys.
func denyNested(url string, _ astiav.IOContextFlags, _ *astiav.Dictionary) (*astiav.IOContext, error) {
	return nil, astiav.ErrProtocolNotFound
}

func (d *demuxer) readBytes(ctx context.Context) astiav.IOContextReadFunc {
	return func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, astiav.ErrExit
		}
		n, err := d.reader.Read(b)
		if n > 0 {
			if d.live && d.began.IsZero() {
				d.began = time.Now()
			}
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			d.readErr = err
		}
		return 0, err
	}
}

// avseekSize asks for the size instead of seeking (AVSEEK_SIZE).
const avseekSize, avseekForce = 0x10000, 0x20000

func (d *demuxer) seek() astiav.IOContextSeekFunc {
	if !d.reader.Seekable() {
		return nil
	}
	return func(offset int64, whence int) (int64, error) {
		if whence&avseekSize != 0 {
			if d.reader.Size() < 0 {
				return 0, errors.ErrUnsupported
			}
			return d.reader.Size(), nil
		}
		return d.reader.Seek(offset, whence&^avseekForce)
	}
}

// unreadable is the typed error for a source that libavformat cannot take.
func (d *demuxer) unreadable(op string, err error) error {
	if me, ok := errors.AsType[*media.Error](d.readErr); ok {
		return me
	}
	advice := "check that it is a complete media file (gala-worker probe FILE shows what is seen)"
	message := fmt.Sprintf("%s source %s: not a media file that can be read", op, input.Display(d.name))
	if strings.HasSuffix(strings.ToLower(d.name), ".mp4") || strings.HasSuffix(strings.ToLower(d.name), ".mov") {
		advice = "an MP4 or MOV that was cut off has lost its index (moov): upload it again, whole"
	}
	return &media.Error{Code: media.SourceError, Message: message, Advice: advice, Err: err}
}

// next reads the next packet with its timestamps made continuous.
func (d *demuxer) next(p *astiav.Packet) error {
	err := d.read(p)
	if err == nil {
		d.clock.fix(p)
	}
	return err
}

// read reads the next packet as it is. io.EOF ends the source; a cut-off file
// ends like a whole one.
func (d *demuxer) read(p *astiav.Packet) error {
	if d.ring != nil {
		return d.ring.read(p)
	}
	for {
		err := d.fc.ReadFrame(p)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, astiav.ErrEof):
			return io.EOF
		case errors.Is(err, astiav.ErrEagain):
			continue
		case d.readErr != nil:
			return d.readErr
		case errors.Is(err, astiav.ErrInvaliddata):
			return fmt.Errorf("%w: damaged container: %w", io.EOF, err)
		}
		return fmt.Errorf("%w: %w", io.EOF, err)
	}
}

// stop ends a read that waits for a live source, or for one that grows.
func (d *demuxer) stop() {
	if d.cancel != nil {
		d.cancel()
	}
	if d.ring != nil {
		d.ring.cancel()
	}
}

// container is the demuxer's name.
func (d *demuxer) container() string {
	if d.ring != nil {
		return d.ring.session.Container
	}
	return d.fc.InputFormat().Name()
}

// seekTo goes to the key frame at or before a timestamp of the container, in µs.
func (d *demuxer) seekTo(us int64) error {
	if err := d.fc.SeekFrame(-1, us, astiav.NewSeekFlags(astiav.SeekFlagBackward)); err != nil {
		return d.noSeek(err)
	}
	d.clock.reset(time.Duration(us) * time.Microsecond)
	return nil
}

// rewind goes back to the very start.
func (d *demuxer) rewind() error {
	if !d.clock.wraps {
		return d.seekTo(d.fc.StartTime())
	}
	// A transport stream's timestamps may come twice: by byte.
	if err := d.fc.SeekFrame(-1, 0, astiav.NewSeekFlags(astiav.SeekFlagByte)); err != nil {
		return d.noSeek(err)
	}
	d.clock.reset(time.Duration(d.fc.StartTime()) * time.Microsecond)
	return nil
}

func (d *demuxer) noSeek(err error) error {
	return &media.Error{Code: media.SourceError, Message: "seek in source " + input.Display(d.name), Err: err, Advice: "give a source that can be read from any point"}
}

// Close frees everything. Safe on a half-opened demuxer.
func (d *demuxer) Close() {
	if d.ring != nil {
		d.ring.close()
		return
	}
	if d.fc != nil {
		d.fc.CloseInput()
		d.fc.Free()
	}
	if d.release != nil {
		d.release()
	}
	if d.io != nil {
		d.closeIO()
	}
	if d.reader != nil {
		_ = d.reader.Close()
	}
	if d.cancel != nil {
		d.cancel()
	}
}

// closeIO: what libavformat opened it also closes.
func (d *demuxer) closeIO() {
	if d.interrupt == nil {
		d.io.Free()
		return
	}
	_ = d.io.Close()
	d.interrupt.Free()
}
