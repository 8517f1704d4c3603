package harness

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Host is the machine that a record was made on.
type Host struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	MemoryBytes int64  `json:"memory_bytes"`
	Kernel      string `json:"kernel"`
	Virtual     bool   `json:"virtual"` // a hypervisor is below: other guests may be as well
}

// ThisHost describes the machine that this process runs on.
func ThisHost() Host {
	info := table("/proc/cpuinfo", ":")
	kib, _ := strconv.ParseInt(strings.TrimSuffix(table("/proc/meminfo", ":")["MemTotal"], " kB"), 10, 64)
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return Host{
		CPU: info["model name"], Cores: runtime.NumCPU(), MemoryBytes: kib << 10,
		Kernel:  "Linux " + strings.TrimSpace(string(release)) + " " + runtime.GOARCH,
		Virtual: strings.Contains(" "+info["flags"]+" ", " hypervisor "),
	}
}

// table reads a file of "key : value" lines; the first of a key counts.
func table(path, separator string) map[string]string {
	out := map[string]string{}
	f, err := os.Open(path)
	if err != nil {
		return out
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), separator)
		if key = strings.TrimSpace(key); out[key] == "" {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// Load is how busy the machine is.
type Load struct {
	One     float64 `json:"load1"`
	Five    float64 `json:"load5"`
	Running int     `json:"running"` // runnable now, this process among them
}

// LoadNow reads the load averages.
func LoadNow() Load {
	text, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(text))
	if err != nil || len(f) < 4 {
		return Load{}
	}
	var l Load
	l.One, _ = strconv.ParseFloat(f[0], 64)
	l.Five, _ = strconv.ParseFloat(f[1], 64)
	running, _, _ := strings.Cut(f[3], "/")
	l.Running, _ = strconv.Atoi(running)
	return l
}

// stolenSeconds is the CPU time that the hypervisor gave to others, all cores.
func stolenSeconds() float64 {
	f := strings.Fields(table("/proc/stat", "cpu ")[""])
	if len(f) < 8 {
		return 0
	}
	return ticks(f[7])
}

// clockTicks is USER_HZ, which Linux fixes for every architecture Go runs on.
const clockTicks = 100

func ticks(s string) float64 {
	n, _ := strconv.ParseFloat(s, 64)
	return n / clockTicks
}

// IdleSeconds is the CPU time of all cores that nothing on this machine used, since
// it was started.
func IdleSeconds() float64 {
	f := strings.Fields(table("/proc/stat", "cpu ")[""])
	if len(f) < 8 {
		return 0
	}
	return ticks(f[3]) + ticks(f[4])
}

// busySeconds is the CPU time that this machine spent on anything at all.
func busySeconds() float64 {
	f := strings.Fields(table("/proc/stat", "cpu ")[""])
	if len(f) < 8 {
		return 0
	}
	return ticks(f[0]) + ticks(f[1]) + ticks(f[2]) + ticks(f[5]) + ticks(f[6])
}

// selfSeconds is what this process and the children it waited for used.
func selfSeconds() float64 {
	var own, children syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children)
	return seconds(own.Utime) + seconds(own.Stime) + seconds(children.Utime) + seconds(children.Stime)
}
