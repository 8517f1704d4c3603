package start

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ledger keeps finished runs, one line of JSON each, so that a benchmark can
// go on after an interruption.
type ledger struct {
	name string
	Runs []Run
}

// line is one line of the file: the first says what is measured.
type line struct {
	Of  string `json:"of,omitempty"`
	Run *Run   `json:"run,omitempty"`
}

// openLedger reads what is there of the same kind; of names commit, ladder and
// host, because runs of two of them make no sample.
func openLedger(name, of string) (*ledger, error) {
	l := &ledger{name: name}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		return l, l.write(line{Of: of})
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var x line
		if err := json.Unmarshal(s.Bytes(), &x); err != nil {
			return nil, fmt.Errorf("%s: %w: remove it to begin anew", name, err)
		}
		if x.Run != nil {
			l.Runs = append(l.Runs, *x.Run)
		} else if x.Of != of {
			return nil, fmt.Errorf("%s holds runs of %q, this is %q: remove it to begin anew", name, x.Of, of)
		}
	}
	return l, nil
}

func (l *ledger) add(r Run) error {
	l.Runs = append(l.Runs, r)
	return l.write(line{Run: &r})
}

func (l *ledger) write(x line) error {
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
