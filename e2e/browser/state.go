package browser

import (
	"context"
	"encoding/json"
	"fmt"
)

// State is what window.gala.state() says of the page and its player.
type State struct {
	Job  string `json:"job"`
	Feed struct {
		Status      string `json:"status"` // connecting, live, lost
		Connections int    `json:"connections"`
		Jobs        int    `json:"jobs"`
		Agents      int    `json:"agents"`
	} `json:"feed"`
	// Status is idle, waiting, loading, playing, paused, stalled, caught-up,
	// ended or failed; Detail is a sentence on it.
	Status      string      `json:"status"`
	Detail      string      `json:"detail"`
	URL         string      `json:"url"`
	Live        bool        `json:"live"`
	Level       int         `json:"level"` // index of the level on screen, -1 before the first
	Auto        bool        `json:"auto"`
	Levels      []Level     `json:"levels"`
	CurrentTime float64     `json:"currentTime"`
	Duration    *float64    `json:"duration"`
	Width       int         `json:"width"` // of the picture on screen
	Height      int         `json:"height"`
	Paused      bool        `json:"paused"`
	Ended       bool        `json:"ended"`
	Buffer      float64     `json:"buffer"`
	Latency     *float64    `json:"latency"`
	Decoded     int         `json:"decoded"`
	Dropped     int         `json:"dropped"`
	Stalls      int         `json:"stalls"`
	EdgeWaits   int         `json:"edgeWaits"`
	Errors      []PlayError `json:"errors"`
	Switches    []Switch    `json:"switches"`
}

// Level is one quality level, ordered by bit rate from 0.
type Level struct {
	Index   int     `json:"index"`
	Name    string  `json:"name"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Bitrate int64   `json:"bitrate"`
	FPS     float64 `json:"fps"`
	Codecs  string  `json:"codecs"`
}

// PlayError is one error event of the player.
type PlayError struct {
	Type    string `json:"type"`
	Details string `json:"details"`
	Fatal   bool   `json:"fatal"`
	Words   string `json:"words"`
	Message string `json:"message"`
}

// Switch is a level that came on screen, with the position when it did.
type Switch struct {
	Level int     `json:"level"`
	At    float64 `json:"at"`
}

// State reads window.gala.
func (p *Page) State() (State, error) {
	var s State
	text, err := Eval[string](p, `window.gala ? JSON.stringify(window.gala.state()) : ""`)
	if err != nil || text == "" {
		return s, err
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("read window.gala: %w", err)
	}
	return s, nil
}

// WaitFor reads the state until ok says so, for as long as ctx lives.
func (p *Page) WaitFor(ctx context.Context, what string, ok func(State) bool) (State, error) {
	var s State
	err := poll(ctx, what, func() (bool, string, error) {
		var err error
		s, err = p.State()
		text, _ := json.Marshal(s)
		return err == nil && ok(s), string(text), err
	})
	return s, err
}

// SetLevel holds one level, or gives the choice back with -1.
func (p *Page) SetLevel(index int) error {
	_, err := Eval[bool](p, fmt.Sprintf("(window.gala.setLevel(%d), true)", index))
	return err
}

// SwitchTo holds a level and waits until its picture is on screen.
func (p *Page) SwitchTo(ctx context.Context, index int) (State, error) {
	if err := p.SetLevel(index); err != nil {
		return State{}, err
	}
	return p.WaitFor(ctx, fmt.Sprintf("level %d on screen", index), func(s State) bool {
		return s.Level == index && len(s.Levels) > index && s.Height == s.Levels[index].Height
	})
}
