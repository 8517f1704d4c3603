package main

import (
	"fmt"
	"strings"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// showFigures is what the drivers of the host's GPUs tell, and the encode
// sessions on them.
func (sh *shell) showFigures(a *galav1.AgentView) error {
	var gpus, sessions [][]string
	for _, d := range a.GetDevices() {
		f := d.GetFigures()
		if f == nil {
			continue
		}
		gpus = append(gpus, sh.figuresRow(a.GetTelemetryAt(), f))
		for _, s := range f.GetSessions() {
			sessions = append(sessions, []string{
				short(f), fmt.Sprint(s.GetPid()), s.GetCodec(), fmt.Sprintf("%dx%d", s.GetWidth(), s.GetHeight()),
				fmt.Sprint(s.GetFps()), fmt.Sprintf("%.1f ms", float64(s.GetLatencyUs())/1000), owner(s), dash(s.GetRendition()),
			})
		}
	}
	if len(gpus) == 0 {
		return nil
	}
	fmt.Fprintln(sh.out)
	if err := sh.columns("GPU STATE SM ENCODER DECODER MEMORY POWER HEAT CLOCK SESSIONS AGE NOTE", gpus); err != nil {
		return err
	}
	if len(sessions) == 0 {
		return nil
	}
	fmt.Fprintln(sh.out)
	return sh.columns("GPU PID CODEC SIZE FPS LATENCY JOB RENDITION", sessions)
}

func (sh *shell) figuresRow(told *timestamppb.Timestamp, f *galav1.DeviceFigures) []string {
	row := []string{short(f), deviceWord(f.GetState())}
	if f.GetState() == galav1.DeviceState_DEVICE_STATE_WELL {
		row = append(row, figure("%d%%", f.SmPercent), figure("%d%%", f.EncoderPercent), figure("%d%%", f.DecoderPercent),
			memory(f), power(f), figure("%d °C", f.TemperatureCelsius), figure("%d MHz", f.SmClockMhz), figure("%d", f.EncodeSessions))
	} else {
		row = append(row, "-", "-", "-", "-", "-", "-", "-", "-")
	}
	return append(row, sh.figuresAge(told, f), dash(strings.Join(sh.notes(f), "; ")))
}

// short is the driver's number of the GPU on its host and the first part of its
// UUID, by which it is found again after the next boot.
func short(f *galav1.DeviceFigures) string {
	id := f.GetId()
	return fmt.Sprintf("%d %s", f.GetIndex(), id[:min(len(id), len("GPU-01234567"))])
}

func deviceWord(s galav1.DeviceState) string {
	switch s {
	case galav1.DeviceState_DEVICE_STATE_WELL:
		return "well"
	case galav1.DeviceState_DEVICE_STATE_STALE:
		return "stale"
	case galav1.DeviceState_DEVICE_STATE_LOST:
		return "lost"
	}
	return "unread"
}

// figure is one that the driver may not tell.
func figure(format string, value *uint32) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprintf(format, *value)
}

func memory(f *galav1.DeviceFigures) string {
	if f.MemoryUsedBytes == nil || f.MemoryTotalBytes == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f of %.1f GiB", float64(f.GetMemoryUsedBytes())/(1<<30), float64(f.GetMemoryTotalBytes())/(1<<30))
}

func power(f *galav1.DeviceFigures) string {
	if f.PowerMw == nil {
		return "-"
	}
	text := fmt.Sprintf("%d W", (f.GetPowerMw()+500)/1000)
	if f.PowerLimitMw != nil {
		text = fmt.Sprintf("%d of %d W", (f.GetPowerMw()+500)/1000, f.GetPowerLimitMw()/1000)
	}
	return text
}

// figuresAge is what they had when they came and what has passed since.
func (sh *shell) figuresAge(told *timestamppb.Timestamp, f *galav1.DeviceFigures) string {
	if told == nil || f.GetState() == galav1.DeviceState_DEVICE_STATE_UNSPECIFIED {
		return "-"
	}
	at := told.AsTime().Add(-time.Duration(f.GetAgeMs()) * time.Millisecond)
	return age(sh.now(), timestamppb.New(at))
}

func (sh *shell) notes(f *galav1.DeviceFigures) (notes []string) {
	if f.GetTrouble() != "" {
		notes = append(notes, f.GetTrouble())
	}
	if t := f.GetThrottled(); len(t) > 0 {
		notes = append(notes, "slowed by "+strings.Join(t, ", "))
	}
	if n := f.GetEccUncorrected(); n > 0 {
		notes = append(notes, fmt.Sprintf("%d memory errors that were not corrected", n))
	}
	if x := f.GetXids(); len(x) > 0 {
		last := x[len(x)-1]
		notes = append(notes, fmt.Sprintf("XID %d %s ago", last.GetCode(), age(sh.now(), last.GetAt()))+prefixed(": ", last.GetMeaning()))
	}
	return notes
}

func prefixed(by, text string) string {
	if text == "" {
		return ""
	}
	return by + text
}

func owner(s *galav1.EncodeSession) string {
	if s.GetJob() == "" {
		return "(another program)"
	}
	return s.GetJob()
}
