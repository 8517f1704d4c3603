package harness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Ledger keeps finished runs, one line of JSON each, so that a benchmark can
// go on after an interruption.
type Ledger[R any] struct {
	name string
	Runs []R
}

// line is one line of the file: the first says what is measured.
type line[R any] struct {
	Of  string `json:"of,omitempty"`
	Run *R     `json:"run,omitempty"`
}

// OpenLedger reads what is there of the same kind; of names whatever runs must
// share to make one sample, such as commit, ladder and host.
func OpenLedger[R any](name, of string) (*Ledger[R], error) {
	l := &Ledger[R]{name: name}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		return l, l.write(line[R]{Of: of})
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x line[R]
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			return nil, fmt.Errorf("%s: %w: remove it to begin anew", name, err)
		}
		if x.Run != nil {
			l.Runs = append(l.Runs, *x.Run)
		} else if x.Of != of {
			return nil, fmt.Errorf("%s holds runs of %q, this is %q: remove it to begin anew", name, x.Of, of)
		}
	}
	return l, lines.Err()
}

// Add a run, on disk before it returns.
func (l *Ledger[R]) Add(r R) error {
	l.Runs = append(l.Runs, r)
	return l.write(line[R]{Run: &r})
}

func (l *Ledger[R]) write(x line[R]) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}
