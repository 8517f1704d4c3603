package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// LogFile is a log that never grows past twice its bound: when full it becomes
// "log.1" and starts again. What cannot be kept within that is dropped.
type LogFile struct {
	mu   sync.Mutex
	dir  string
	max  int64
	size int64
	f    *os.File
}

// OpenLog appends to dir/log.
func OpenLog(dir string, bound int64) (*LogFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &LogFile{dir: dir, max: bound, size: st.Size(), f: f}, nil
}

// Write never fails: a worker on air does not stop for its log.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(p)) > l.max && !l.turn() {
		return len(p), nil
	}
	n, _ := l.f.Write(p[:min(int64(len(p)), l.max)])
	l.size += int64(n)
	return len(p), nil
}

// turn starts a new file and tells whether it could.
func (l *LogFile) turn() bool {
	name := filepath.Join(l.dir, "log")
	if l.size > 0 && os.Rename(name, name+".1") != nil {
		return false
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return false
	}
	_ = l.f.Close()
	l.f, l.size = f, 0
	return true
}
