package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oomCounter counts the kernel's out-of-memory kills in this process's control
// group; workers share it with their agent.
type oomCounter struct {
	files []string
}

func newOOMCounter() oomCounter {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	return oomCounter{files: oomFiles(string(groups), "/sys/fs/cgroup")}
}

// oomFiles are the places where either version of control groups counts.
// Inside a container the group's path is often mounted as the root.
func oomFiles(groups, root string) (files []string) {
	for line := range strings.Lines(groups) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(part) != 3:
		case part[1] == "":
			files = append(files, filepath.Join(root, part[2], "memory.events"), filepath.Join(root, "memory.events"))
		case part[1] == "memory":
			files = append(files, filepath.Join(root, "memory", part[2], "memory.oom_control"), filepath.Join(root, "memory", "memory.oom_control"))
		}
	}
	return files
}

// read is the count of the first file that has one; 0 where none does.
func (c oomCounter) read() int64 {
	for _, file := range c.files {
		if n, ok := oomKills(file); ok {
			return n
		}
	}
	return 0
}

func oomKills(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		if n, found := bytes.CutPrefix(line, []byte("oom_kill ")); found {
			v, err := strconv.ParseInt(string(bytes.TrimSpace(n)), 10, 64)
			return v, err == nil
		}
	}
	return 0, false
}
