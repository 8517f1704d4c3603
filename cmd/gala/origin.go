package main

import "github.com/galafarm/gala/origin"

type originCmd struct {
	Listen string `help:"Where to serve /origin/." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Root   string `help:"Directory with the jobs' trees." required:"" type:"path" placeholder:"DIR"`
	Token  string `help:"What writers from other machines must send; without it only this machine writes." env:"GALA_ORIGIN_TOKEN"`
	Public string `help:"Address by which viewers reach /origin/, where that is not the one that they write: https://cdn.example/live/." placeholder:"URL"`
	logFlags
}

func (c *originCmd) Run(sh *shell) error {
	log := c.logger(sh)
	objects, err := origin.New(origin.Config{Root: c.Root, Token: c.Token, Public: c.Public, Log: log})
	if err != nil {
		return err
	}
	defer objects.Close()
	l, err := listenOne("--listen", c.Listen)
	if err != nil {
		return err
	}
	log.Info("origin", "url", "http://"+reachable(l.Addr())+origin.Prefix, "root", c.Root)
	server := origin.Server{Listener: l, Origin: objects}
	return server.Run(sh.ctx)
}
