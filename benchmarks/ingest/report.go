package ingest

import (
	"fmt"
	"path/filepath"

	"github.com/galafarm/gala/benchmarks/harness"
)

func (o Options) record(runs []Run, v harness.Versions, around *harness.Around) (harness.Record, error) {
	hash, err := harness.HashFile(o.Clip)
	if err != nil {
		return harness.Record{}, err
	}
	r := harness.Record{
		Name: "ingest", Title: "What one live source costs",
		What: "One ingest (`gala-worker ingest`) holds a live source: it receives, demuxes, keeps the last 45 s of packets, and hands every packet to one reader over its unix socket, as to a worker. " +
			"Nothing is decoded. The clip is sent in real time, for ever, from the same machine.",
		How: []string{
			fmt.Sprintf("One source at a time. Counting begins when the ring is full (%v after the first picture) and lasts %v.", settle, o.Each),
			"Processor time is user and system time of the ingest alone, from /proc; the sender, the reader and the web server are not in it.",
			"Memory is the ingest's at the end: resident, proportional (PSS), and anonymous.",
			"A picture is lost where decode times have a hole of more than half a frame; overtaken is what the ring let go of before the reader took it.",
		},
		Command: o.Command, Host: harness.ThisHost(), Around: *around, Versions: v,
		Settings: []harness.Setting{{Key: "clip", Value: fmt.Sprintf("%s, sha256 %.12s", filepath.Base(o.Clip), hash)}, {Key: "ring", Value: fmt.Sprintf("%d s, at most %d MiB", keepSeconds, keepBytes>>20)}},
		NotMeasured: []string{
			"A network: sender and ingest share one machine, and its load. What a real link loses and reorders is not here.",
			"More than one reader.",
			"Other rates: memory follows the rate of the source, 45 s of it.",
		},
		Raw: runs,
	}
	for _, run := range runs {
		r.Figures = append(r.Figures, figures(run)...)
	}
	r.Findings = findings(runs)
	return r, nil
}

func figures(r Run) []harness.Figure {
	one := func(name, unit string, x float64) harness.Figure {
		return harness.Figure{Group: r.Source, Name: name, Unit: unit, Dist: harness.Describe([]float64{x})}
	}
	return []harness.Figure{
		one("processor time, of a core", "%", 100*r.CPU/r.Seconds),
		one("resident memory", "MB", float64(r.RSS)/1e6), one("proportional (PSS)", "MB", float64(r.PSS)/1e6), one("anonymous", "MB", float64(r.Anon)/1e6),
		one("the ring holds", "s", r.RingSeconds), one("the ring holds", "MB", float64(r.RingBytes)/1e6),
		one("rate of the source", "Mb/s", float64(8*r.Bytes)/1e6/r.Seconds),
		one("pictures", "", float64(r.Pictures)), one("pictures lost", "", float64(r.Lost)), one("packets overtaken", "", float64(r.Overtaken)),
		one("load average of the machine", "", r.Load),
	}
}

func findings(runs []Run) []string {
	var out []string
	for _, r := range runs {
		out = append(out, fmt.Sprintf("%s: %.1f %% of a core at %.1f Mb/s, %.0f MB resident of which the ring's packets are %.0f MB; %d of %d pictures lost.",
			r.Source, 100*r.CPU/r.Seconds, float64(8*r.Bytes)/1e6/r.Seconds, float64(r.RSS)/1e6, float64(r.RingBytes)/1e6, r.Lost, r.Pictures+r.Lost))
	}
	return out
}
