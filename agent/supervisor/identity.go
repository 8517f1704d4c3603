package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// identity names one process for ever: numbers come round again, a number with
// its start time within one boot does not.
type identity struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"start_ticks"`
	Boot       string `json:"boot"`
}

func identify(pid int) (identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, fmt.Errorf("read boot id: %w", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return identity{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	ticks, err := startTicks(stat)
	return identity{PID: pid, StartTicks: ticks, Boot: strings.TrimSpace(string(boot))}, err
}

// startTicks is field 22; the command name before it may hold spaces and
// parentheses, so fields are counted from the last one.
func startTicks(stat []byte) (uint64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, errors.New("short process stat")
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// find opens the process that id names, or says that it is gone.
func (id identity) find() (*process, error) {
	p, err := openProcess(id.PID, nil)
	if err != nil {
		return nil, err
	}
	// Identified after the handle is open: the number cannot change owner now.
	now, err := identify(id.PID)
	if err != nil || now != id || p.ended() {
		p.leave()
		return nil, fmt.Errorf("process %d is gone", id.PID)
	}
	return p, nil
}
