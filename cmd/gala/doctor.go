package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/galafarm/gala/internal/doctor"
)

type doctorCmd struct {
	Data   string `help:"Data directory to look at." default:"${data}" type:"path" env:"GALA_DATA" placeholder:"DIR"`
	Listen string `help:"Port of page and origin to look at." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	GRPC   string `name:"grpc" help:"gRPC port to look at." default:"127.0.0.1:8081" placeholder:"HOST:PORT"`
	Redis  string `help:"Redis to look at, instead of a redis-server of our own." env:"GALA_REDIS" placeholder:"URL"`
}

// Run prints a line for each thing; it fails when one that is needed is missing.
func (c *doctorCmd) Run(sh *shell) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	found := doctor.Machine{
		Worker: filepath.Join(filepath.Dir(self), "gala-worker"), Agent: filepath.Join(filepath.Dir(self), "gala-agent"),
		Data: c.Data, RedisURL: c.Redis,
		Ports: []doctor.Port{{Flag: "--listen", Address: c.Listen}, {Flag: "--grpc", Address: c.GRPC}},
	}.Look(sh.ctx)
	if err := sh.print(map[string]any{"findings": found}, func() error { return sh.findings(found) }); err != nil {
		return err
	}
	if !doctor.Healthy(found) {
		return &failure{code: exitFailed, message: "something that the farm needs is missing"}
	}
	return nil
}

func (sh *shell) findings(found []doctor.Finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(sh.out, "%-8s %-14s %s\n", f.Status, f.Name, f.Found); err != nil {
			return err
		}
		if f.Do != "" {
			fmt.Fprintf(sh.out, "%-8s %-14s → %s\n", "", "", f.Do)
		}
	}
	return nil
}
