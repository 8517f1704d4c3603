package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/thumbs"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// jobArg is the job that a command is about.
type jobArg struct {
	ID string `arg:"" help:"Id of the job."`
}

func (a *jobArg) get(sh *shell) (*galav1.Job, error) {
	farm, err := sh.farm()
	if err != nil {
		return nil, err
	}
	defer farm.Close()
	return farm.Get(sh.ctx, a.ID)
}

type showCmd struct {
	jobArg
}

func (c *showCmd) Run(sh *shell) error {
	job, err := c.get(sh)
	if err != nil {
		return err
	}
	return sh.print(job, func() error { return sh.showJob(job) })
}

// mostPlaces are listed by all their addresses; a job may have 200.
const mostPlaces = 8

// showJob is everything about a job that a person asks for.
func (sh *shell) showJob(j *galav1.Job) error {
	s := j.GetSpec()
	rows := [][]string{
		{"id", s.GetId()},
		{"state", withReason(j)},
		{"input", input.Display(s.GetInput())},
		{"ladder", ladderName(s)},
		{"created", age(sh.now(), j.GetCreatedAt()) + " ago"},
	}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	if p := s.GetProtection(); p != nil {
		add("encrypted", p.GetScheme()+", with keys from "+p.GetKeys())
	}
	for _, l := range s.GetLogos() {
		add("logo", fmt.Sprintf("%s, sha256 %.12s…", l.GetName(), l.GetSha256()))
	}
	for i, b := range s.GetBackups() {
		add(media.InputName(i+1), input.Display(b))
	}
	add("on air", onAirLine(j.GetOnAir()))
	if s.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		add("progress", percent(j.GetProgressPermille()))
	}
	add("source", sourceLine(j.GetSource()))
	add("grid", gridLine(j.GetGrid()))
	for i, o := range j.GetOutputs() {
		if i == mostPlaces {
			add("plays at", fmt.Sprintf("%d more places, see below", len(j.GetOutputs())-i))
			break
		}
		add("plays at", o)
		if tree, ok := strings.CutSuffix(o, "master.m3u8"); ok {
			add("as DASH", tree+"manifest.mpd")
			for _, name := range singles(j) {
				add("as MP4", tree+name)
			}
			if j.GetThumbnails() != nil && j.GetState() == galav1.JobState_JOB_STATE_DONE {
				add("thumbnails", tree+ladders.ThumbnailsName+"/"+thumbs.VTTName)
			}
		}
	}
	if e := j.GetError(); e != nil {
		add("error", e.GetCode()+": "+e.GetMessage())
		add("advice", e.GetAdvice())
	}
	for _, n := range j.GetNotes() {
		add("note", n)
	}
	for _, r := range j.GetReplicas() {
		add(fmt.Sprintf("replica %d", r.GetNumber()), stateWord(r.GetState())+": "+r.GetReason())
	}
	if j.GetWarm() != "" {
		add("source held by", j.GetWarm()+" too, for a successor")
	}
	if err := sh.columns("", rows); err != nil {
		return err
	}
	if err := sh.renditions(j); err != nil {
		return err
	}
	if err := sh.outputs(j); err != nil {
		return err
	}
	return sh.placements(j)
}

func withReason(j *galav1.Job) string {
	if j.GetReason() == "" {
		return stateWord(j.GetState())
	}
	return stateWord(j.GetState()) + ": " + j.GetReason()
}

func (sh *shell) renditions(j *galav1.Job) error {
	if len(j.GetRenditions()) == 0 {
		return nil
	}
	rows := sh.renditionRows("", j.GetRenditions())
	if len(j.GetReplicas()) > 0 {
		rows = nil
		for _, r := range j.GetReplicas() {
			rows = append(rows, sh.renditionRows(fmt.Sprintf("r%d/", r.GetNumber()), r.GetRenditions())...)
		}
	}
	fmt.Fprintln(sh.out)
	return sh.columns("RENDITION WHAT BITRATE SPEED SEGMENTS LAST AGE LATE", rows)
}

// outputs tells how each destination fares, while something is written to it.
func (sh *shell) outputs(j *galav1.Job) error {
	var rows [][]string
	for _, o := range j.GetOutputStates() {
		if o.GetState() == galav1.OutputState_OUTPUT_STATE_UNSPECIFIED && o.GetLost() == 0 {
			continue
		}
		last := "-"
		if o.GetLastSegment() >= 0 {
			last = fmt.Sprint(o.GetLastSegment())
		}
		rows = append(rows, []string{o.GetUrl(), outputWord(sh.now(), o), last, age(sh.now(), o.GetLastSegmentAt()), fmt.Sprint(o.GetBehind()), fmt.Sprint(o.GetLost()), size(o.GetBytes()), dash(o.GetCause())})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(sh.out)
	return sh.columns("OUTPUT STATE LAST AGE BEHIND LOST BYTES WHY", rows)
}

func outputWord(now time.Time, o *galav1.OutputStatus) string {
	switch o.GetState() {
	case galav1.OutputState_OUTPUT_STATE_STARTING:
		return "starting"
	case galav1.OutputState_OUTPUT_STATE_WELL:
		return "well"
	case galav1.OutputState_OUTPUT_STATE_TROUBLE:
		return "in trouble for " + age(now, o.GetTroubleSince())
	}
	return "-"
}

func (sh *shell) renditionRows(prefix string, all []*galav1.RenditionStatus) (rows [][]string) {
	for _, r := range all {
		rows = append(rows, []string{
			prefix + r.GetRendition().GetName(), renditionLine(r.GetRendition()), bits(r.GetBitrate()), speed(r),
			fmt.Sprint(r.GetSegments()), lastSegment(r), age(sh.now(), r.GetLastSegmentAt()), fmt.Sprint(r.GetLateSegments()),
		})
	}
	return rows
}

func speed(r *galav1.RenditionStatus) string {
	if r.GetResting() {
		return "left out"
	}
	return fmt.Sprintf("%.2fx", r.GetSpeed())
}

func (sh *shell) placements(j *galav1.Job) error {
	if len(j.GetPlacements()) == 0 {
		return nil
	}
	var rows [][]string
	for _, p := range j.GetPlacements() {
		rows = append(rows, []string{p.GetAssignment(), p.GetAgent() + "/" + p.GetDevice(), fmt.Sprint(p.GetEpoch()), p.GetReason()})
	}
	fmt.Fprintln(sh.out)
	return sh.columns("ASSIGNMENT WHERE EPOCH WHY", rows)
}

func lastSegment(r *galav1.RenditionStatus) string {
	if r.GetLastSegment() < 0 || r.GetSegments() == 0 {
		return "-"
	}
	return fmt.Sprint(r.GetLastSegment())
}

// singles are the MP4 files of a job that is done.
func singles(j *galav1.Job) (files []string) {
	wanted := j.GetSpec().GetMp4()
	for _, r := range j.GetRenditions() {
		name := r.GetRendition().GetName()
		if r.GetRendition().GetVideo() != nil && (slices.Contains(wanted, "all") || slices.Contains(wanted, name)) && j.GetState() == galav1.JobState_JOB_STATE_DONE {
			files = append(files, name+".mp4")
		}
	}
	return files
}
