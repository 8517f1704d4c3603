package media

import (
	"cmp"
	"fmt"
	"time"
)

// Loss says when a live input counts as lost, and what happens then. A zero field
// means its default.
type Loss struct {
	// After nothing came for so long, 100 ms to 10 s; 500 ms. Inputs that are lists
	// of segments come one by one: the usual pause between them is added.
	After time.Duration
	// Slate is how long the last picture stands before the slate does; 5 s.
	Slate time.Duration
	// Return goes back to the first input once it has been healthy for so long; 0:
	// only when the operator says so, or the others fail.
	Return time.Duration
	// What is bad enough to go to another input though packets come: so long a black
	// picture, a picture that stands, silence; 0: never.
	Black, Freeze, Silence time.Duration
}

// The defaults of Loss.
const (
	DefaultLossAfter  = 500 * time.Millisecond
	DefaultSlateAfter = 5 * time.Second
)

// Or is l with its defaults filled in.
func (l Loss) Or() Loss {
	l.After, l.Slate = cmp.Or(l.After, DefaultLossAfter), cmp.Or(l.Slate, DefaultSlateAfter)
	return l
}

// Slate is what is shown while a live job has no input.
type Slate struct {
	Color string // rrggbb; empty: a dark grey
	Text  string // one line; empty: "NO SIGNAL", a space: none
	// Image is a PNG that is laid over the colour, as large as fits; empty: none.
	Image []byte
}

// InputName is what people call an input of a job by its number: primary,
// backup-1, backup-2, ...
func InputName(index int) string {
	if index == 0 {
		return "primary"
	}
	return fmt.Sprintf("backup-%d", index)
}
