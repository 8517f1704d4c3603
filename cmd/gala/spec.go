package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/media/overlay"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// jobFlags are what every new job takes.
type jobFlags struct {
	ID      string   `name:"id" help:"Id of the job, and the name of its folder. Default: after the input." placeholder:"ID"`
	Ladder  string   `help:"Ladder: the name of a preset (see gala ladder ls) or a YAML file." default:"hd" placeholder:"NAME|FILE"`
	To      []string `help:"Where the output goes: a directory, an http(s) URL, s3://, gs:// or azblob://bucket/folder; may be repeated. Default: the farm's own origin." sep:"none" placeholder:"DEST"`
	Encrypt string   `help:"Encrypt what comes out: cbcs for players of today, cenc for older ones. Needs --keys." placeholder:"cbcs|cenc"`
	Keys    string   `help:"Where the keys come from: a key file, or the http(s) address of a key server that speaks CPIX (SPEKE 2). Needs --encrypt." placeholder:"FILE|URL"`
	CPU     string   `name:"cpu" help:"May the CPU encode: never, allowed or only." enum:"never,allowed,only" default:"allowed" placeholder:"POLICY"`
}

// spec is the job that the flags describe.
func (f *jobFlags) spec(id, input string) (*galav1.JobSpec, error) {
	s := &galav1.JobSpec{Id: id, Input: input, Destinations: f.To, Cpu: cpuPolicy(f.CPU)}
	if err := setProtection(s, f.Encrypt, f.Keys); err != nil {
		return nil, err
	}
	return s, setLadder(s, f.Ladder)
}

// setProtection wants both halves or none. The keys stay where they are: the
// job says where, and the host that encrypts reads them.
func setProtection(s *galav1.JobSpec, scheme, from string) error {
	switch {
	case scheme == "" && from == "":
		return nil
	case scheme == "":
		return &failure{code: exitUsage, message: "--keys without --encrypt: the output would stay in the clear", advice: "add --encrypt cbcs (or cenc), or leave --keys out"}
	case from == "":
		return &failure{code: exitUsage, message: "--encrypt " + scheme + " needs keys", advice: "add --keys with a key file or the address of a key server; docs/encryption.md shows both"}
	}
	if _, err := keys.ParseScheme(scheme); err != nil {
		return &failure{code: exitUsage, message: err.Error()}
	}
	if err := checkKeyFile(from); err != nil {
		return err
	}
	s.Protection = &galav1.Protection{Scheme: scheme, Keys: from}
	return nil
}

// checkKeyFile finds mistakes in a key file that is on this machine too.
func checkKeyFile(from string) error {
	if client.IsURL(from) {
		return nil
	}
	if _, err := os.Stat(from); err != nil {
		return nil //nolint:nilerr // it is read where the worker runs
	}
	_, err := readKeys(from)
	return err
}

func readKeys(path string) (keys.Set, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &failure{code: exitUsage, message: fmt.Sprintf("key file: %v", err)}
	}
	set, err := keys.Parse(text)
	if err != nil {
		return nil, &failure{code: exitUsage, message: fmt.Sprintf("key file %s: %v", path, err), advice: "docs/encryption.md shows what a key file holds"}
	}
	return set, nil
}

func cpuPolicy(word string) galav1.CpuPolicy {
	return galav1.CpuPolicy(galav1.CpuPolicy_value["CPU_POLICY_"+strings.ToUpper(word)])
}

// setLadder sends a preset by name, and a file as its text once it was read
// here without a mistake: the farm cannot read the client's files.
func setLadder(s *galav1.JobSpec, nameOrFile string) error {
	s.Ladder = nameOrFile
	if !isLadderFile(nameOrFile) {
		return nil
	}
	text, err := os.ReadFile(nameOrFile)
	if err != nil {
		return &failure{code: exitUsage, message: fmt.Sprintf("ladder: %v", err), advice: "`gala ladder ls` lists the ladders that are known by name"}
	}
	files := logoFiles{}
	l, err := ladders.ParseWith(nameOrFile, text, func(name string) error { return files.read(name, ladders.Beside(nameOrFile, name)) })
	if err == nil {
		err = overlay.CheckLogos(l, files)
	}
	if err != nil {
		return &failure{code: exitUsage, message: err.Error(), advice: "`gala ladder check FILE` checks a ladder, `gala ladder show hd -o yaml` prints one to start from"}
	}
	s.Ladder, s.LadderYaml, s.Logos = filepath.Base(nameOrFile), string(text), wire.LogoProtos(files)
	return nil
}

// windowSeconds is a live window as the farm counts it.
func windowSeconds(d time.Duration) (uint32, error) {
	if d < 0 || d > 24*time.Hour {
		return 0, &failure{code: exitUsage, message: fmt.Sprintf("window %v: want at most 24h", d)}
	}
	return uint32(d / time.Second), nil
}

// isLadderFile tells a file from the name of a preset, as ladders.Load does.
func isLadderFile(s string) bool {
	ext := filepath.Ext(s)
	return ext == ".yaml" || ext == ".yml" || strings.ContainsRune(s, filepath.Separator)
}

// warnMissing tells of a file that is not here. It is no error: the agent
// reads it, maybe on another host.
func (sh *shell) warnMissing(input string) {
	if input == "" || client.IsURL(input) {
		return
	}
	path, err := client.Absolute(input)
	if err != nil {
		return
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(sh.err, "gala: note: %s does not exist on this machine; the agent must be able to read it\n", path)
	}
}

// submitted tells what became of a new job.
func (sh *shell) submitted(s client.Submitted) error {
	return sh.printLine(s.Job, func() error {
		id, state := s.Job.GetSpec().GetId(), stateWord(s.Job.GetState())
		if s.Existed {
			_, err := fmt.Fprintf(sh.out, "%s: the same job exists and is %s\n", id, state)
			return err
		}
		if _, err := fmt.Fprintf(sh.out, "%s: %s\n", id, state); err != nil {
			return err
		}
		for _, url := range s.Job.GetOutputs() {
			if _, err := fmt.Fprintf(sh.out, "  will play at %s\n", url); err != nil {
				return err
			}
		}
		return nil
	})
}
