package main

type doctorCmd struct{}

func (doctorCmd) Run(sh *shell) error { return nil }
