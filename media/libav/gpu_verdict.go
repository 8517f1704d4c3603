package libav

import (
	"regexp"
	"strings"
	"sync"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
)

// trialLog is what libav said: its error codes alone do not tell a limit from a
// driver that is too old.
type trialLog struct {
	mu    sync.Mutex
	lines []string
}

// takeTrialLog listens from now on, in place of whoever did.
func takeTrialLog() *trialLog {
	l := &trialLog{}
	astiav.SetLogLevel(astiav.LogLevelWarning)
	astiav.SetLogCallback(func(_ astiav.Classer, level astiav.LogLevel, _, msg string) {
		if text := strings.TrimSpace(msg); text != "" && level <= astiav.LogLevelWarning {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.lines = append(l.lines, text)
		}
	})
	return l
}

func (l *trialLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

// judge names the trouble that an error is, with the line that says so.
func (l *trialLog) judge(err error) (media.GPUTrouble, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return gpuTrouble(l.lines, err)
}

// gpuSigns are FFmpeg's lines, of which the first that matches counts: a session
// that is refused is told apart from memory that runs out later by its place.
var gpuSigns = []struct {
	line    *regexp.Regexp
	trouble media.GPUTrouble
}{
	{regexp.MustCompile(`Cannot load (libcuda|libnvcuvid|libnvidia-encode)|[Cc]ould not dynamically load CUDA`), media.GPUNoLibrary},
	{regexp.MustCompile(`does not support the required nvenc API version|OpenEncodeSessionEx failed: .*\(15\)`), media.GPUOldDriver},
	{regexp.MustCompile(`CUDA_ERROR_(NO_DEVICE|INVALID_DEVICE|DEVICE_UNAVAILABLE|NOT_PERMITTED|SYSTEM_NOT_READY)`), media.GPUNoDevice},
	{regexp.MustCompile(`CUDA_ERROR_OUT_OF_MEMORY`), media.GPUNoMemory},
	{regexp.MustCompile(`OpenEncodeSessionEx failed: .*\(2\)`), media.GPUNoNVENC},
	{regexp.MustCompile(`OpenEncodeSessionEx failed: .*\((10|21)\)`), media.GPURefused},
	{regexp.MustCompile(`failed.*\(10\)`), media.GPUNoMemory},
	{regexp.MustCompile(`CUDA_ERROR_\w+|failed.*\(\d+\)`), media.GPUBroken},
	{regexp.MustCompile(`not supported`), media.GPULacks},
}

func gpuTrouble(lines []string, err error) (media.GPUTrouble, string) {
	for _, sign := range gpuSigns {
		for _, line := range lines {
			if sign.line.MatchString(line) {
				return sign.trouble, line
			}
		}
	}
	said := err.Error()
	if len(lines) > 0 {
		said = lines[0] + " (" + said + ")"
	}
	return media.GPUBroken, said
}
