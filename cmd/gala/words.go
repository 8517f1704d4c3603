package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// stateWord is a state as people and --state have it: "running".
func stateWord(s galav1.JobState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "JOB_STATE_"))
}

// states reads the words of --state.
func states(words []string) ([]galav1.JobState, error) {
	var list []galav1.JobState
	for _, w := range words {
		s, known := galav1.JobState_value["JOB_STATE_"+strings.ToUpper(w)]
		if !known || s == 0 {
			return nil, &failure{code: exitUsage, message: fmt.Sprintf("--state %q is no state of a job", w),
				advice: "the states are " + strings.Join(stateWords(), ", ")}
		}
		list = append(list, galav1.JobState(s))
	}
	return list, nil
}

func stateWords() []string {
	var words []string
	for i := range len(galav1.JobState_name) - 1 {
		words = append(words, stateWord(galav1.JobState(i+1)))
	}
	return words
}

// age is how long ago, as short as a column: 5s, 3m, 2h, 4d.
func age(now time.Time, t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	d := max(now.Sub(t.AsTime()), 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// clock is a moment of today as UTC; what is older carries its date.
func clock(now time.Time, t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	at := t.AsTime().UTC()
	if y, m, d := now.UTC().Date(); at.Year() == y && at.Month() == m && at.Day() == d {
		return at.Format("15:04:05.000")
	}
	return at.Format("2006-01-02 15:04:05")
}

// bits is a bit rate as ladders have it.
// size in bytes, to two figures or a whole number; "-" for nothing.
func size(n int64) string {
	if n <= 0 {
		return "-"
	}
	value, unit := float64(n)/1e3, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1e3, next
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

func bits(n int64) string {
	switch {
	case n <= 0:
		return "-"
	case n >= 10_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	}
	return fmt.Sprintf("%dk", n/1000)
}

func percent(permille uint32) string {
	return strconv.FormatFloat(float64(permille)/10, 'f', 1, 64) + "%"
}

// ladderName is the ladder as it was asked for.
func ladderName(s *galav1.JobSpec) string {
	if s.GetLadder() == "" {
		return "(inline)"
	}
	return s.GetLadder()
}

// slowest is the speed that the job runs at, "-" before there is one.
func slowest(j *galav1.Job) string {
	speed := 0.0
	for _, r := range j.GetRenditions() {
		if v := r.GetSpeed(); v > 0 && (speed == 0 || v < speed) {
			speed = v
		}
	}
	if speed == 0 || client.Ended(j.GetState()) {
		return "-"
	}
	return fmt.Sprintf("%.2fx", speed)
}

// where is the places a job runs at.
func where(j *galav1.Job) string {
	var places []string
	for _, p := range j.GetPlacements() {
		places = append(places, p.GetAgent()+"/"+p.GetDevice())
	}
	if len(places) == 0 {
		return "-"
	}
	return strings.Join(places, ",")
}

// dash keeps a column from being empty.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
