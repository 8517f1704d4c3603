package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// format is how results are written.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
	asYAML  format = "yaml"
)

// print writes value for programs, or calls table for people. Messages are
// written in protobuf's JSON form, the one that the page and REST use.
func (sh *shell) print(value any, table func() error) error {
	if sh.flags.Output == asTable {
		return table()
	}
	text, err := toJSON(value)
	if err != nil {
		return err
	}
	if sh.flags.Output == asYAML {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(sh.out, strings.TrimSuffix(string(text), "\n"))
	return err
}

// printList prints messages under a name: {"jobs": […]}.
func printList[M proto.Message](sh *shell, name string, list []M, table func() error) error {
	parts := make([]json.RawMessage, len(list))
	for i, m := range list {
		text, err := toJSON(m)
		if err != nil {
			return err
		}
		parts[i] = text
	}
	return sh.print(map[string]any{name: parts}, table)
}

func toJSON(value any) ([]byte, error) {
	m, ok := value.(proto.Message)
	if !ok {
		return json.MarshalIndent(value, "", "  ")
	}
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	// protojson varies its white space on purpose; scripts and tests compare.
	var b bytes.Buffer
	err = json.Indent(&b, text, "", "  ")
	return b.Bytes(), err
}

// printLine writes one message of a stream: a line of JSON, a YAML document.
func (sh *shell) printLine(m proto.Message, line func() error) error {
	switch sh.flags.Output {
	case asTable:
		return line()
	case asYAML:
		if _, err := fmt.Fprintln(sh.out, "---"); err != nil {
			return err
		}
		return sh.print(m, nil)
	}
	text, err := toJSON(m)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return err
	}
	_, err = fmt.Fprintln(sh.out, b.String())
	return err
}

// columns writes rows under a header, aligned.
func (sh *shell) columns(header string, rows [][]string) error {
	w := tabwriter.NewWriter(sh.out, 0, 0, 3, ' ', 0)
	if header != "" {
		fmt.Fprintln(w, strings.Join(strings.Fields(header), "\t"))
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
