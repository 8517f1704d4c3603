package supervisor

import "time"

// Limits are the deadlines and bounds of a supervisor, by name. The zero value
// of a field means its default.
type Limits struct {
	Ready          time.Duration // spawn (or adoption) to a Ready answer
	FinishMargin   time.Duration // live: what a finish may take beyond the open segment
	FinishVOD      time.Duration // VOD: what finishing the open segment may take
	Now            time.Duration // asked to drop everything
	Superseded     time.Duration // asked to stop writing
	Term           time.Duration // between TERM and KILL
	Kill           time.Duration // between KILL and the end of the wait for a process that does not die
	Stacks         time.Duration // between QUIT, which makes a stalled worker print its stacks, and KILL
	Linger         time.Duration // between the outcome and the end of the process
	LiveStall      time.Duration // live: least time without a frame in any rendition
	LiveFrames     int64         // live: the same in frames
	SourceSilence  time.Duration // live lists of segments, files on the web: nothing arrives, nothing is encoded
	VODStall       time.Duration
	Waiting        time.Duration // for a processor, on top of the stall limits
	FirstFrame     time.Duration // from Ready to the first frame of any rendition
	Exit           time.Duration // for all workers to finish, where they end with the agent
	Probe          time.Duration
	Version        time.Duration
	GPU            time.Duration // to open a GPU, encode on it with every encoder, and have its kernels compiled
	Probes         int           // at once
	ProbeQueue     int           // waiting
	LogBytes       int64         // what a worker writes is cut past this, per file
	LogKeep        int64         // what is kept of a file that was cut
	KeepRuns       int           // ended runs whose directories stay for inspection
	KeepUndeclared int           // ended runs whose outcome no scheduler has taken yet
	Runs           int           // held at once
	Ingests        int           // live sources held at once
	IngestWait     time.Duration // for a live source to be on air, before a look at it is put off
	IngestLinger   time.Duration // between the last reader of a live source and the end of its ingest
}

// DefaultLimits are what an agent runs with.
func DefaultLimits() Limits {
	return Limits{
		Ready:          10 * time.Second,
		FinishMargin:   10 * time.Second,
		FinishVOD:      30 * time.Second,
		Now:            2 * time.Second,
		Superseded:     500 * time.Millisecond,
		Term:           2 * time.Second,
		Kill:           5 * time.Second,
		Stacks:         300 * time.Millisecond,
		Linger:         5 * time.Second,
		LiveStall:      2500 * time.Millisecond,
		LiveFrames:     10,
		SourceSilence:  16 * time.Second,
		VODStall:       60 * time.Second,
		Waiting:        60 * time.Second,
		FirstFrame:     60 * time.Second,
		Exit:           15 * time.Second,
		Probe:          20 * time.Second,
		Version:        10 * time.Second,
		GPU:            30 * time.Second,
		Probes:         2,
		ProbeQueue:     256,
		LogBytes:       16 << 20,
		LogKeep:        256 << 10,
		KeepRuns:       32,
		KeepUndeclared: 512,
		Runs:           512,
		Ingests:        128,
		IngestWait:     1500 * time.Millisecond,
		IngestLinger:   20 * time.Second,
	}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ v, d *time.Duration }{
		{&l.Ready, &d.Ready}, {&l.FinishMargin, &d.FinishMargin}, {&l.FinishVOD, &d.FinishVOD},
		{&l.Now, &d.Now}, {&l.Superseded, &d.Superseded}, {&l.Term, &d.Term}, {&l.Kill, &d.Kill}, {&l.Stacks, &d.Stacks}, {&l.Linger, &d.Linger},
		{&l.LiveStall, &d.LiveStall}, {&l.SourceSilence, &d.SourceSilence}, {&l.VODStall, &d.VODStall}, {&l.Waiting, &d.Waiting},
		{&l.FirstFrame, &d.FirstFrame}, {&l.Exit, &d.Exit}, {&l.Probe, &d.Probe}, {&l.Version, &d.Version}, {&l.GPU, &d.GPU},
		{&l.IngestLinger, &d.IngestLinger}, {&l.IngestWait, &d.IngestWait},
	} {
		orDefault(f.v, *f.d)
	}
	for _, f := range []struct{ v, d *int }{
		{&l.Probes, &d.Probes}, {&l.ProbeQueue, &d.ProbeQueue}, {&l.KeepRuns, &d.KeepRuns},
		{&l.KeepUndeclared, &d.KeepUndeclared}, {&l.Runs, &d.Runs}, {&l.Ingests, &d.Ingests},
	} {
		orDefault(f.v, *f.d)
	}
	orDefault(&l.LiveFrames, d.LiveFrames)
	orDefault(&l.LogBytes, d.LogBytes)
	orDefault(&l.LogKeep, d.LogKeep)
	return l
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
