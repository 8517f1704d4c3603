package main

import "log/slog"

// logFlags are what every program that runs on and on takes.
type logFlags struct {
	LogLevel  slog.Level `help:"Least level that is logged: debug, info, warn or error." default:"info" env:"GALA_LOG_LEVEL" placeholder:"LEVEL"`
	LogFormat string     `help:"Log as text or json, on standard error." enum:"text,json" default:"text" env:"GALA_LOG_FORMAT" placeholder:"FORMAT"`
}

func (f *logFlags) logger(sh *shell) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(sh.err, options))
	}
	return slog.New(slog.NewTextHandler(sh.err, options))
}
