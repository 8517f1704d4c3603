package doctor

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program is a script in a folder of the test's.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func prints(text string) string { return "cat <<'END'\n" + text + "\nEND" }

const gplBuild = `{"ffmpeg":"9.0.2","configuration":"--x","license":"GPL version 3 or later","encoders":["libx264","libx265","libsvtav1","h264_nvenc"]}`
const lgplBuild = `{"ffmpeg":"9.0.2","license":"LGPL version 3 or later","encoders":["libsvtav1","h264_nvenc"]}`

func TestWorker(t *testing.T) {
	tests := []struct {
		name, script string
		want         []string // status and name, then a word of it
	}{
		{"whole", prints(gplBuild), []string{"OK FFmpeg 9.0.2", "OK H.264 libx264", "OK HEVC libx265", "OK AV1 libsvtav1"}},
		{"without GPL", prints(lgplBuild), []string{"OK FFmpeg LGPL", "WARN H.264 FFMPEG_LICENSE=gpl", "WARN HEVC FFMPEG_LICENSE=gpl", "OK AV1 libsvtav1"}},
		{"old FFmpeg", prints(`{"ffmpeg":"5.1.6","encoders":["libx264"]}`), []string{"WARN FFmpeg make build", "OK H.264 libx264", "WARN HEVC x265", "WARN AV1 SVT-AV1"}},
		{"crashes", "echo 'libsrt.so.1: cannot open' >&2; exit 127", []string{"MISSING FFmpeg libsrt.so.1: cannot open"}},
		{"another program", "echo hello", []string{"MISSING FFmpeg another build"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, Machine{Worker: program(t, tt.script)}.worker(t.Context()), tt.want)
		})
	}
	check(t, Machine{Worker: "/no/such/gala-worker"}.worker(t.Context()), []string{"MISSING FFmpeg make build"})
}

func TestDevices(t *testing.T) {
	cpu := `{"id":"cpu","model":"AMD EPYC","role":"encode","encoders":["libx264"]}`
	gpu := `{"id":"GPU-1f","model":"NVIDIA H100","role":"decode-only","role_reason":"this model has no NVENC"}`
	twin := `{"id":"GPU-74","model":"NVIDIA L4 (driver twin)","role":"unusable","role_reason":"not probed yet"}`
	hello := func(labels string, devices ...string) string {
		return prints(fmt.Sprintf(`{"name":"h","labels":{%s},"devices":[%s],"new_field":1}`, labels, strings.Join(devices, ",")))
	}
	tests := []struct {
		name, script string
		want         []string
	}{
		{"no GPU", hello(`"gpu_reason":"no NVIDIA driver"`, cpu), []string{"OK cpu libx264", "WARN GPU no NVIDIA driver"}},
		{"GPU that only decodes", hello(`"nvidia_driver":"580.65"`, cpu, gpu), []string{"OK cpu AMD", "WARN GPU-1f no NVENC", "OK GPU 1 with driver 580.65"}},
		{"driver twin", hello(`"nvidia_driver":"550.144.03 (Gala driver twin)"`, cpu, twin),
			[]string{"OK cpu AMD", "WARN GPU-74 NVIDIA L4 (driver twin): unusable", "OK GPU 1 with driver 550.144.03 (Gala driver twin)"}},
		{"driver without GPU", hello(`"nvidia_driver":"580.65"`, cpu), []string{"OK cpu AMD", "WARN GPU nvidia-smi"}},
		{"fails", "exit 3", []string{"MISSING devices exit status 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, Machine{Agent: program(t, tt.script)}.devices(t.Context()), tt.want)
		})
	}
}

func TestRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "+PONG\r\n")
			conn.Close()
		}
	}()
	url := "redis://user:secret@" + l.Addr().String() + "/0"
	got := Machine{RedisURL: url}.redis(t.Context())
	check(t, []Finding{got}, []string{"OK Redis answers"})
	if strings.Contains(got.Found, "secret") {
		t.Errorf("the password is shown: %s", got.Found)
	}
	check(t, []Finding{Machine{RedisURL: "redis://127.0.0.1:1"}.redis(t.Context())}, []string{"MISSING Redis refused"})
	t.Setenv("PATH", filepath.Dir(program(t, "")))
	check(t, []Finding{Machine{}.redis(t.Context())}, []string{"WARN Redis not installed"})
	if got := serverVersion("Redis server v=7.0.15 sha=0:0 malloc=jemalloc bits=64"); got != "7.0.15" {
		t.Errorf("version %q", got)
	}
}

func TestPortAndDisk(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := Machine{Worker: "/no", Agent: "/no", Data: filepath.Join(t.TempDir(), "not", "there"),
		Ports: []Port{{"--listen", l.Addr().String()}, {"--grpc", "127.0.0.1:0"}}}
	found := m.Look(t.Context())
	if Healthy(found) {
		t.Error("healthy without any program")
	}
	check(t, found[len(found)-3:], []string{"WARN port --listen choose another --listen", "OK port --grpc is free", "OK disk GiB free"})
	if _, err := os.Stat(m.Data); err == nil {
		t.Error("looking made the data directory")
	}
}

// check holds findings against "STATUS name … word".
func check(t *testing.T, got []Finding, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d findings %v, want %d", len(got), got, len(want))
	}
	for i, f := range got {
		head := string(f.Status) + " " + f.Name + " "
		word, ok := strings.CutPrefix(want[i], head)
		if !ok || !strings.Contains(f.Found+" "+f.Do, word) {
			t.Errorf("%+v, want %q", f, want[i])
		}
		if f.Status != OK && f.Do == "" {
			t.Errorf("%s: nothing to do about it", f.Name)
		}
	}
}
