package main

import (
	"github.com/galafarm/gala/scheduler"
	"github.com/galafarm/gala/scheduler/store"
)

type schedulerCmd struct {
	Redis       string   `help:"Where jobs are kept." required:"" env:"GALA_REDIS" placeholder:"URL"`
	Listen      string   `help:"Page and REST." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	GRPC        string   `name:"grpc" help:"gRPC, for clients and agents." default:"127.0.0.1:8081" placeholder:"HOST:PORT"`
	Origin      string   `help:"Origin for jobs that name no destination, such as http://gala:TOKEN@HOST:8090; without one they must." placeholder:"URL"`
	AllowSource []string `help:"Sources that may be read; may be repeated. None are without it." sep:"none" placeholder:"PATTERN"`
	Name        string   `help:"Name of this scheduler, told to agents." default:"scheduler"`
	logFlags
}

func (c *schedulerCmd) Run(sh *shell) error {
	log := c.logger(sh)
	p, err := listen(c.Listen, c.GRPC)
	if err != nil {
		return err
	}
	defer p.close()
	jobs, err := store.Open(sh.ctx, c.Redis)
	if err != nil {
		return err
	}
	defer jobs.Close()
	farm, err := scheduler.New(scheduler.Config{
		Store: jobs, OriginURL: c.Origin, AllowSources: c.AllowSource, Name: c.Name, Log: log,
	})
	if err != nil {
		return err
	}
	log.Info("scheduler", "page", p.url()+"/", "grpc", p.grpc.Addr().String())
	return runFarm(sh.ctx, farm, p, pageMux(farm, nil, log))
}
