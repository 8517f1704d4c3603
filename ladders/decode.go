package ladders

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder walks a YAML tree and collects every mistake instead of stopping at
// the first: a ladder is edited by hand, often far from the farm.
type decoder struct {
	file     string
	problems Problems
	logo     func(file string) error // nil: logos are not looked at
}

// value is one place in the document: a node and the path of keys to it.
type value struct {
	d    *decoder
	path string
	node ast.Node
}

// key is one allowed key of a mapping and what reads its value.
type key struct {
	name string
	read func(value)
}

// given holds the keys that a mapping really had.
type given map[string]value

func (d *decoder) at(tk *token.Token, path, format string, args ...any) {
	p := Problem{File: d.file, Line: 1, Column: 1, Path: path, Message: fmt.Sprintf(format, args...)}
	if tk != nil && tk.Position != nil {
		p.Line, p.Column = max(1, tk.Position.Line), max(1, tk.Position.Column)
	}
	d.problems = append(d.problems, p)
}

// err is the sorted list of problems, nil when there is none.
func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.problems
}

func (v value) fail(format string, args ...any) {
	v.d.at(v.node.GetToken(), v.path, format, args...)
}

// mapping reads a mapping whose keys must be among keys, each at most once. It
// gives nil for what is no mapping.
func (v value) mapping(keys []key) given {
	m, ok := v.node.(ast.MapNode)
	if !ok {
		v.fail("is %s, want a mapping with the keys %s", describe(v.node), names(keys))
		return nil
	}
	got := given{}
	for entries := m.MapRange(); entries.Next(); {
		v.entry(keys, got, entries.Key(), entries.Value())
	}
	return got
}

func (v value) entry(keys []key, got given, k ast.MapKeyNode, node ast.Node) {
	name := k.GetToken().Value
	at := value{v.d, join(v.path, name), node}
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	switch {
	case k.IsMergeKey():
		v.d.at(k.GetToken(), v.path, "merge keys are not used in ladders; write the keys out")
	case i < 0:
		v.d.at(k.GetToken(), v.path, "unknown key %q%s; allowed are %s", clip(name), suggest(name, keys), names(keys))
	case got[name].node != nil:
		v.d.at(k.GetToken(), at.path, "is given twice; first on line %d", got[name].node.GetToken().Position.Line)
	default:
		got[name] = at
		keys[i].read(at)
	}
}

// list reads a sequence of at most limit entries.
func (v value) list(limit int, read func(i int, item value)) {
	s, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.fail("is %s, want a list", describe(v.node))
		return
	}
	if len(s.Values) > limit {
		v.fail("has %d entries, at most %d are allowed", len(s.Values), limit)
		return
	}
	for i, item := range s.Values {
		read(i, value{v.d, fmt.Sprintf("%s[%d]", v.path, i), item})
	}
}

// require reports each key of names that the mapping lacks.
func (g given) require(in value, names ...string) {
	if g == nil {
		return
	}
	for _, name := range names {
		if _, ok := g[name]; !ok {
			in.d.at(firstToken(in.node), in.path, "the key %q is missing", name)
		}
	}
}

// firstToken is where a mapping begins for a reader: at its first key.
func firstToken(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		return m.Key.GetToken()
	}
	return n.GetToken()
}

func join(path, name string) string {
	if path == "" {
		return clip(name)
	}
	return path + "." + clip(name)
}

func names(keys []key) string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.name
	}
	return strings.Join(all, ", ")
}

// maxText bounds a ladder file; maxDepth its nesting, so that a hostile file
// cannot exhaust the parser's stack.
const (
	maxText  = 32 << 10
	maxDepth = 32
)

// document is the root of the one YAML document in text, nil with problems reported.
func (d *decoder) document(text []byte) (root ast.Node) {
	switch {
	case len(text) > maxText:
		d.at(nil, "", "the file has %d bytes, a ladder has at most %d", len(text), maxText)
		return nil
	case tooDeep(text):
		d.at(nil, "", "the file is nested more than %d levels deep", maxDepth)
		return nil
	}
	// The YAML parser is not ours; a panic in it is one more syntax error.
	defer func() {
		if p := recover(); p != nil {
			d.at(nil, "", "not readable as YAML")
			root = nil
		}
	}()
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	return d.body(file)
}

func (d *decoder) body(file *ast.File) ast.Node {
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			d.at(doc.Body.GetToken(), "", "a second document; a file holds one ladder")
			return nil
		}
		root = doc.Body
	}
	if root == nil {
		d.at(nil, "", "the file is empty; a ladder has a name and video or audio rungs")
	}
	return root
}

// syntax reports what the YAML parser said, at the place it names.
func (d *decoder) syntax(err error) {
	type positioned interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if p, ok := err.(positioned); ok {
		d.at(p.GetToken(), "", "not readable as YAML: %s", p.GetMessage())
		return
	}
	d.at(nil, "", "not readable as YAML: %s", err)
}

// tooDeep counts brackets and indentation, whether or not they are quoted.
func tooDeep(text []byte) bool {
	open := 0
	for _, line := range strings.Split(string(text), "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " -?:\t"))
		open += strings.Count(line, "[") + strings.Count(line, "{")
		if open > maxDepth || indent > 4*maxDepth {
			return true
		}
		open = max(0, open-strings.Count(line, "]")-strings.Count(line, "}"))
	}
	return false
}
