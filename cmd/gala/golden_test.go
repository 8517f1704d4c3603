package main

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/internal/fakefarm"
)

func TestWhatCommandsPrint(t *testing.T) {
	address := stadium(t)
	commands := map[string]string{
		"live-ls":      "live ls",
		"live-show":    "live show derby",
		"live-explain": "live explain derby",
		"live-record":  "live record derby",
		"vod-ls":       "vod ls",
		"vod-show":     "vod show replay",
		"vod-ls-state": "vod ls --state running",
		"fleet-ls":     "fleet ls",
		"fleet-show":   "fleet show gpu-7",
		"fleet-gpus":   "fleet show gpu-9",
		"fleet-json":   "fleet show gpu-9 -o json",
		"json":         "vod ls -o json",
		"yaml":         "vod show replay -o yaml",
		"exit-codes":   "help exit-codes",
		"ladder-x265":  "ladder show hdr --encoder libx265 --source 1280x720@59.94:pq --cpus 16",
		"ladder-nvenc": "ladder show mini --encoder h264_nvenc --source 640x360@25 --live --cpus 16",
		"ladder-json":  "ladder show av1 --encoder libsvtav1 --source 416x234@30 --cpus 2 -o json",
		"help":         "--help",
		"help-queue":   "help vod queue",
		"help-submit":  "live submit --help",
		"help-up":      "up --help",
	}
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_DATA_HOME", "/home/you/.local/share")
			got := gala(t, address, strings.Fields(command)...)
			if got.code != 0 {
				t.Errorf("exit code %d", got.code)
			}
			golden(t, name, "$ gala "+command+"\n"+got.out+got.err)
		})
	}
}

// The errors that a person meets, each with what to do next.
func TestWhatErrorsSay(t *testing.T) {
	address := stadium(t)
	var b strings.Builder
	for _, command := range []string{
		"live show nobody", "fleet show nobody", "vod ls --state happy", "vod queue", "live submit", "live submt", "vod watch replay",
		"live submit --input srt://h:1 -f job.yaml", "vod queue x.mp4 --cpu maybe", "live submit --input /a --ladder /no/such.yaml",
		"up --twin 2xL4", "up --twin /no/such.yaml", "--farm farm.example live ls", "ladder show nobody", "ladder show hd --encoder libx266", "ladder show hd --encoder libx265", "ladder show hd --encoder all --source big",
	} {
		got := gala(t, address, strings.Fields(command)...)
		if got.code == 0 {
			t.Errorf("gala %s: exit code 0", command)
		}
		b.WriteString("$ gala " + command + "\n" + got.out + got.err + "[" + string(rune('0'+got.code)) + "]\n\n")
	}
	golden(t, "errors", b.String())
}

func TestNoFarmHasItsOwnExitCode(t *testing.T) {
	got := gala(t, "127.0.0.1:1", "live", "ls")
	if got.code != exitUnreachable || !strings.Contains(got.err, "start one with `gala up`") {
		t.Errorf("exit code %d, said %q", got.code, got.err)
	}
}

func TestNothingIsSaidToBeNothing(t *testing.T) {
	address := (&fakefarm.Farm{}).Serve(t)
	for command, want := range map[string]string{"live ls": "No jobs.", "fleet ls": "No agent is attached"} {
		got := gala(t, address, strings.Fields(command)...)
		if got.code != 0 || got.out != "" || !strings.Contains(got.err, want) {
			t.Errorf("gala %s: %+v", command, got)
		}
	}
}
