package libav

import (
	"context"
	"log/slog"
	"strings"

	"github.com/asticode/go-astiav"
)

// LogTo sends what libav says at warning level and above to log. Process-wide,
// like libav's own log.
func LogTo(log *slog.Logger) {
	astiav.SetLogLevel(astiav.LogLevelWarning)
	astiav.SetLogCallback(func(c astiav.Classer, l astiav.LogLevel, _, msg string) {
		text := strings.TrimSpace(msg)
		if text == "" || l > astiav.LogLevelWarning {
			return
		}
		level := slog.LevelWarn
		if l <= astiav.LogLevelError {
			level = slog.LevelError
		}
		log.Log(context.Background(), level, text, "from", className(c))
	})
}

func className(c astiav.Classer) string {
	if c == nil || c.Class() == nil {
		return "libav"
	}
	return c.Class().ItemName()
}
