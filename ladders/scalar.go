package ladders

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// describe names what a node is, for "is X, want Y".
func describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "empty"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias (not used in ladders)"
	case *ast.TagNode:
		return "a tagged value (not used in ladders)"
	}
	return strconv.Quote(clip(n.GetToken().Value))
}

// clip keeps hostile text out of messages.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// scalar is the value as written, for numbers too; ok is false (and a problem
// reported) when it is no plain value.
func (v value) scalar(want string) (string, bool) {
	switch v.node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode:
		return v.node.GetToken().Value, true
	}
	v.fail("is %s, want %s", describe(v.node), want)
	return "", false
}

// text reads a string; a bare number is a mistake, since 0720 or 1e3 would not
// survive as written.
func (v value) text(want string, ok func(string) bool) string {
	s, isString := v.node.(*ast.StringNode)
	if !isString {
		v.fail("is %s, want %s%s", describe(v.node), want, quoteAdvice(v.node))
		return ""
	}
	if !ok(s.Value) {
		v.fail("%q is not allowed, want %s", clip(s.Value), want)
		return ""
	}
	return s.Value
}

func quoteAdvice(n ast.Node) string {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return "; put it in quotes"
	}
	return ""
}

// oneOf reads one of a closed set of words.
func (v value) oneOf(allowed ...string) string {
	want := "one of " + strings.Join(allowed, ", ")
	s, ok := v.scalar(want)
	if ok && !slices.Contains(allowed, s) {
		v.fail("%q is not allowed, want %s", clip(s), want)
		return ""
	}
	return s
}

// integer reads a decimal whole number in [low, high].
func (v value) integer(low, high int) int {
	want := "a whole number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high)
	n, ok := v.node.(*ast.IntegerNode)
	if !ok {
		v.fail("is %s, want %s", describe(v.node), want)
		return 0
	}
	i, err := strconv.Atoi(n.GetToken().Value)
	if err != nil || i < low || i > high {
		v.fail("%s is not allowed, want %s", clip(n.GetToken().Value), want)
		return 0
	}
	return i
}

// bits reads a bit rate or a buffer size in [low, high].
func (v value) bits(low, high int64) int64 {
	want := formatBits(low) + " to " + formatBits(high) + ", written as 6000k, 6M or 6000000"
	s, ok := v.scalar(want)
	if !ok {
		return 0
	}
	b, err := parseBits(s)
	if err != nil || b < low || b > high {
		v.fail("%q is not allowed, want %s", clip(s), want)
		return 0
	}
	return b
}

// duration reads a Go duration in [low, high].
func (v value) duration(low, high time.Duration) time.Duration {
	want := "a duration from " + low.String() + " to " + high.String() + " with its unit, such as 2s or 1.92s"
	s, ok := v.scalar(want)
	if !ok {
		return 0
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < low || t > high || t%time.Microsecond != 0 {
		v.fail("%q is not allowed, want %s", clip(s), want)
		return 0
	}
	return t
}

func (v value) boolean() bool {
	b, ok := v.node.(*ast.BoolNode)
	if !ok {
		v.fail("is %s, want true or false", describe(v.node))
		return false
	}
	return b.Value
}

// suggest is `, did you mean "bitrate"?` for a key that is nearly right.
func suggest(name string, keys []key) string {
	best, distance := "", math.MaxInt
	for _, k := range keys {
		if d := editDistance(clip(name), k.name); d < distance {
			best, distance = k.name, d
		}
	}
	if 3*distance > len(name) {
		return ""
	}
	return ", did you mean " + strconv.Quote(best) + "?"
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
