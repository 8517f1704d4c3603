package soak

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"path"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/Eyevinn/mp4ff/mp4"
)

// beeps are, in milliseconds, how long after each flash of the test card its
// beep begins in what the origin has now of the bystander. What encoders and
// decoders delay the sound by is in it, the same each time.
func (s *soak) beeps(ctx context.Context) ([]float64, error) {
	tree := s.farm.Page + "/origin/" + bystander
	video, err := newest(ctx, tree+"/360p/media.m3u8")
	if err != nil {
		return nil, err
	}
	sound, err := newest(ctx, tree+"/stereo/media.m3u8")
	if err != nil {
		return nil, err
	}
	flashes, err := s.flashes(ctx, video)
	if err != nil {
		return nil, err
	}
	began, pcm, err := s.samples(ctx, sound)
	if err != nil {
		return nil, err
	}
	after := lags(flashes, onsets(began, pcm))
	if len(after) == 0 {
		return nil, errors.New("no flash of the test card has its beep in the newest segments")
	}
	return after, nil
}

// newestSegments is how much is looked at: flash and beep come every second.
const newestSegments = 10

// newest reads the init segment and the last segments of a media playlist.
func newest(ctx context.Context, playlist string) ([]byte, error) {
	text, err := get(ctx, playlist)
	if err != nil {
		return nil, err
	}
	list, _, err := m3u8.DecodeFrom(bytes.NewReader(text), false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", playlist, err)
	}
	media, ok := list.(*m3u8.MediaPlaylist)
	if !ok {
		return nil, fmt.Errorf("%s is no media playlist", playlist)
	}
	segments := media.GetAllSegments()
	segments = segments[max(0, len(segments)-newestSegments):]
	if len(segments) == 0 || media.Map == nil {
		return nil, fmt.Errorf("%s has no segments", playlist)
	}
	names := []string{media.Map.URI}
	for _, segment := range segments {
		names = append(names, segment.URI)
	}
	var all []byte
	for _, name := range names {
		part, err := get(ctx, playlist[:len(playlist)-len(path.Base(playlist))]+name)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// flashes are the times, in seconds, at which the flash area turns white.
func (s *soak) flashes(ctx context.Context, stream []byte) (times []float64, err error) {
	cmd := exec.CommandContext(ctx, s.Binaries.Worker, "decode", "--frames")
	cmd.Stdin = bytes.NewReader(stream)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("decode the pictures: %w", err)
	}
	const white = 128
	before := white // a flash that is on already has begun earlier
	for line := range strings.Lines(string(out)) {
		var f struct {
			Type string
			PTS  int64
			Base [2]int64 `json:"tb"`
			Luma int
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return nil, fmt.Errorf("decode the pictures: %w", err)
		}
		if f.Type != "video" {
			continue
		}
		if f.Luma >= white && before < white {
			times = append(times, float64(f.PTS)*float64(f.Base[0])/float64(f.Base[1]))
		}
		before = f.Luma
	}
	return times, nil
}

const soundRate = 48000

// samples of the sound, and when the first is due, in seconds.
func (s *soak) samples(ctx context.Context, stream []byte) (began float64, pcm []float32, err error) {
	file, err := mp4.DecodeFile(bytes.NewReader(stream))
	if err != nil || file.Init == nil || len(file.Segments) == 0 || len(file.Segments[0].Fragments) == 0 {
		return 0, nil, fmt.Errorf("read the sound: %w", errors.Join(err, errors.New("no fragments")))
	}
	began = float64(file.Segments[0].Fragments[0].Moof.Traf.Tfdt.BaseMediaDecodeTime()) / float64(file.Init.Moov.Trak.Mdia.Mdhd.Timescale)
	cmd := exec.CommandContext(ctx, s.Binaries.FFmpeg, "-v", "error", "-f", "mp4", "-i", "pipe:0", "-f", "f32le", "-ac", "1", "-ar", fmt.Sprint(soundRate), "pipe:1")
	cmd.Stdin = bytes.NewReader(stream)
	out, err := cmd.Output()
	if err != nil {
		return 0, nil, fmt.Errorf("decode the sound: %w", err)
	}
	for ; len(out) >= 4; out = out[4:] {
		pcm = append(pcm, math.Float32frombits(binary.LittleEndian.Uint32(out)))
	}
	return began, pcm, nil
}

// onsets are the times at which sound begins after a pause.
func onsets(began float64, pcm []float32) (times []float64) {
	const loud, pause = 0.1, soundRate / 2
	quiet := 0
	for i, x := range pcm {
		if x < loud && x > -loud {
			quiet++
			continue
		}
		if quiet >= pause {
			times = append(times, began+float64(i)/soundRate)
		}
		quiet = 0
	}
	return times
}

// lags of each flash's beep, where one begins within half a second of it.
func lags(flashes, beeps []float64) (ms []float64) {
	for _, flash := range flashes {
		for _, beep := range beeps {
			if math.Abs(beep-flash) < 0.5 {
				ms = append(ms, (beep-flash)*1000)
			}
		}
	}
	return ms
}
