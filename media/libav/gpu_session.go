package libav

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// What is encoded on a GPU that is tried: small, and large enough for every
// card. The picture in the middle is forced to be an IDR, as the grid's are.
const (
	trialWidth, trialHeight = 640, 360
	trialFrames, trialGOP   = 12, 6
)

// TryGPU opens the one GPU that this process can see and, one after the other,
// a real session of each encoder and depth that the encoder table has for GPUs;
// then it scales a picture.
// It is for a process of its own: it takes libav's log, and a driver that hangs
// never lets it go.
func TryGPU(uuid string) media.GPUReport {
	log := takeTrialLog()
	report := media.GPUReport{Device: uuid, Sessions: []media.GPUSession{}}
	gpu, err := astiav.CreateHardwareDeviceContext(astiav.HardwareDeviceTypeCUDA, "", nil, 0)
	if err != nil {
		report.Trouble, report.Said = log.judge(err)
		return report
	}
	defer gpu.Free()
	for _, row := range encoders.Table() {
		for _, depth := range []int{8, 10} {
			if !row.GPU || depth == 10 && row.Ten == "" {
				continue
			}
			log.forget()
			s := media.GPUSession{Encoder: row.Name, Depth: depth}
			if err := tryEncoder(gpu, row, depth); err != nil {
				s.Trouble, s.Said = log.judge(err)
			} else if card, status := askCard(gpu, row.Codec); status == 0 {
				s.Sizes = media.PictureSizes{LeastWidth: card.LeastWidth, LeastHeight: card.LeastHeight, MostWidth: card.Width, MostHeight: card.Height}
			}
			report.Sessions = append(report.Sessions, s)
			if s.Trouble.OfDevice() {
				return report
			}
		}
	}
	log.forget()
	if err := tryScaling(gpu); err != nil {
		report.Trouble, report.Said = log.judge(err)
		report.Said = "scale pictures: " + report.Said
	}
	return report
}

// tryScaling makes a picture smaller. The driver compiles the kernels for it, which takes
// it seconds, and keeps them in its cache for the workers.
func tryScaling(gpu *astiav.HardwareDeviceContext) error {
	pictures, err := newTrialPictures(gpu, 8)
	if err != nil {
		return err
	}
	defer pictures.Close()
	f, err := pictures.up()
	if err != nil {
		return err
	}
	defer f.Free()
	g, err := newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, fmt.Sprintf("scale_cuda=w=%d:h=%d:interp_algo=lanczos", trialWidth/2, trialHeight/2), 1)
	if err != nil {
		return err
	}
	defer g.Close()
	came := false
	err = g.push(f, func(*astiav.Frame) error { came = true; return nil })
	if err == nil && !came {
		err = errors.New("no picture came out")
	}
	return err
}

// tryEncoder with all that its row asks for, then with less.
func tryEncoder(gpu *astiav.HardwareDeviceContext, row encoders.Encoder, depth int) error {
	codec := astiav.FindEncoderByName(row.Name)
	if codec == nil {
		return errors.New("not in this build of FFmpeg")
	}
	rung, err := trialRung(row, depth)
	if err != nil {
		return err
	}
	pictures, err := newTrialPictures(gpu, depth)
	if err != nil {
		return err
	}
	defer pictures.Close()
	if err = pictures.encode(codec, rung, row.Options(rung)); !unsupported(err) {
		return err
	}
	for _, l := range row.Less(rung) {
		if pictures.encode(codec, rung, row.Options(l.Rung)) == nil {
			return nil
		}
	}
	return err
}

func trialRung(row encoders.Encoder, depth int) (encoders.Rung, error) {
	rate := timeline.Rate{Num: 25, Den: 1}
	grid, err := timeline.NewGrid(rate, trialGOP*time.Second/25, 1)
	if err != nil {
		return encoders.Rung{}, err
	}
	v := ladders.Video{Width: trialWidth, Height: trialHeight, Divisor: 1, Codec: row.Codec, Encoder: row.Name, Depth: depth,
		Bitrate: 800_000, Maxrate: 1_000_000, Bufsize: 2_000_000, Preset: "fastest"}
	switch {
	case row.Codec == "hevc" && depth == 10:
		v.Profile = "main10"
	case row.Codec != "av1":
		v.Profile = "main"
	}
	return encoders.NewRung(v, grid, false, runtime.NumCPU()), nil
}

// trialPictures are black, and lie in the GPU's memory.
type trialPictures struct {
	pool *astiav.HardwareFramesContext
	host *astiav.Frame
}

func newTrialPictures(gpu *astiav.HardwareDeviceContext, depth int) (*trialPictures, error) {
	format := astiav.PixelFormatNv12
	if depth == 10 {
		format = astiav.PixelFormatP010Le
	}
	p := &trialPictures{pool: astiav.AllocHardwareFramesContext(gpu), host: astiav.AllocFrame()}
	p.pool.SetHardwarePixelFormat(astiav.PixelFormatCuda)
	p.pool.SetSoftwarePixelFormat(format)
	p.pool.SetWidth(trialWidth)
	p.pool.SetHeight(trialHeight)
	p.host.SetPixelFormat(format)
	p.host.SetWidth(trialWidth)
	p.host.SetHeight(trialHeight)
	err := p.host.AllocBuffer(0)
	if err == nil {
		err = p.host.ImageFillBlack()
	}
	if err == nil {
		err = p.pool.Initialize()
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("pictures in GPU memory: %w", err)
	}
	return p, nil
}

func (p *trialPictures) Close() {
	p.host.Free()
	p.pool.Free()
}

// encode opens an encoder, and says what is wrong with what comes out.
func (p *trialPictures) encode(codec *astiav.Codec, rung encoders.Rung, options []encoders.Option) error {
	cc := astiav.AllocCodecContext(codec)
	if cc == nil {
		return errors.New("allocate encoder")
	}
	defer cc.Free()
	cc.SetWidth(trialWidth)
	cc.SetHeight(trialHeight)
	cc.SetPixelFormat(astiav.PixelFormatCuda)
	cc.SetHardwareFramesContext(p.pool)
	cc.SetTimeBase(astiav.NewRational(int(rung.Rate.Den), int(rung.Rate.Num)))
	cc.SetFramerate(astiav.NewRational(int(rung.Rate.Num), int(rung.Rate.Den)))
	cc.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	for _, o := range encoders.Joined(options) {
		if err := setOption(cc, o.Key, o.Value); err != nil {
			return err
		}
	}
	if err := cc.Open(codec, nil); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	out := trialOutput{id: cc.CodecID()}
	for n := range int64(trialFrames) {
		if err := p.send(cc, n); err != nil {
			return fmt.Errorf("picture %d: %w", n, err)
		}
		if err := out.receive(cc); err != nil {
			return err
		}
	}
	if err := cc.SendFrame(nil); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if err := out.receive(cc); err != nil {
		return err
	}
	return out.check()
}

// up is a picture in the GPU's memory. The caller frees it.
func (p *trialPictures) up() (*astiav.Frame, error) {
	f := astiav.AllocFrame()
	err := f.AllocHardwareBuffer(p.pool)
	if err == nil {
		err = p.host.TransferHardwareData(f)
	}
	if err != nil {
		f.Free()
		return nil, err
	}
	return f, nil
}

// send picture n, which is copied to the GPU.
func (p *trialPictures) send(cc *astiav.CodecContext, n int64) error {
	f, err := p.up()
	if err != nil {
		return err
	}
	defer f.Free()
	f.SetPts(n)
	f.SetPictureType(astiav.PictureTypeNone)
	if n%trialGOP == 0 {
		f.SetPictureType(astiav.PictureTypeI)
	}
	return cc.SendFrame(f)
}

// trialOutput is what came out: the times of all pictures, and of those that
// stand alone.
type trialOutput struct {
	id         astiav.CodecID
	all, alone []int64
}

func (o *trialOutput) receive(cc *astiav.CodecContext) error {
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	for {
		err := cc.ReceivePacket(pkt)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("packet %d: %w", len(o.all), err)
		}
		o.all = append(o.all, pkt.Pts())
		if pkt.Flags().Has(astiav.PacketFlagKey) && standsAlone(o.id, pkt.Data(), 0) {
			o.alone = append(o.alone, pkt.Pts())
		}
		pkt.Unref()
	}
}

func (o *trialOutput) check() error {
	switch {
	case len(o.all) != trialFrames:
		return fmt.Errorf("%d pictures went in and %d came out", trialFrames, len(o.all))
	case !slices.Equal(o.alone, []int64{0, trialGOP}):
		return fmt.Errorf("IDR pictures at %v, not at 0 and %d as was asked for", o.alone, trialGOP)
	case o.all[0] != 0:
		return fmt.Errorf("picture %d came out first", o.all[0])
	}
	return nil
}
