package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// adopt reads the runtime directories that an earlier agent left. What still
// runs is held from now on; what ended meanwhile is reported.
func (s *Supervisor) adopt() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read runtime directories: %w", err)
	}
	for _, e := range entries {
		dir := runDir(filepath.Join(s.dir, e.Name()))
		if e.IsDir() && dir.has(fileUndying) {
			s.adoptUndying(dir)
		}
		if e.IsDir() && !dir.has(fileDeclared) {
			s.adoptOne(dir)
		}
	}
	return nil
}

func (s *Supervisor) adoptOne(dir runDir) {
	spec, err := dir.assignment()
	if err != nil {
		s.log.Warn("runtime directory without an assignment", "dir", string(dir), "error", err)
		return
	}
	r := newRun(&s.env, dir, spec, s.log)
	var stop stopRecord
	if dir.readJSON(fileStop, &stop) == nil && strength[stop.Cause] > 0 {
		r.request(stop)
	}
	p, err := dir.process()
	if err == nil && dir.has(fileUndying) { // its outcome stands
		p.leave()
		err = errUndying
	}
	if err != nil {
		r.conclude(judge(r.evidence(exit{})))
		return
	}
	r.proc = p
	r.log.Info("worker adopted", "pid", p.pid)
	s.runs[keyOf(spec)] = r
}

// process finds the worker of a directory: by its record or, when the agent
// died between the spawn and the record, by its command line.
func (d runDir) process() (*process, error) { return d.processOf(verbRun) }

func (d runDir) processOf(verb string) (*process, error) {
	var id identity
	if err := d.readJSON(fileProcess, &id); err == nil {
		return id.find()
	}
	return d.processByCommand("/proc", verb)
}

var errNoProcess = errors.New("no process")

func (d runDir) processByCommand(proc, verb string) (*process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && d.isCommandOf(filepath.Join(proc, e.Name(), "cmdline"), verb) {
			return openProcess(pid, nil)
		}
	}
	return nil, errNoProcess
}

func (d runDir) isCommandOf(cmdline, verb string) bool {
	text, err := os.ReadFile(cmdline)
	return err == nil && bytes.HasSuffix(text, []byte("\x00"+verb+"\x00--dir\x00"+string(d)+"\x00"))
}
