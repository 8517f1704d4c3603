package texture

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
)

// The clip of a committed record must be the clip that is drawn today.
func TestSameBytesEverywhere(t *testing.T) {
	var b bytes.Buffer
	n, err := Clip{Width: 320, Height: 180, Frames: 3, Rate: 25}.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatal(n, b.Len(), err)
	}
	const want = "f88ec22b33aecc63c6e259ae3cbb2548f322d3d2f02ba2e1602b0eed76760412"
	if got := fmt.Sprintf("%x", sha256.Sum256(b.Bytes())); got != want {
		t.Errorf("the clip is now %s: records made before are of another one", got)
	}
}

func TestNeighboursDifferAndMove(t *testing.T) {
	const w, h = 320, 180
	s := newScene()
	a, b := make([]byte, w*h*3/2), make([]byte, w*h*3/2)
	s.draw(a, w, h, 0)
	s.draw(b, w, h, 1)
	edges, moved := 0, 0
	for i := range w*h - 1 {
		edges += abs(int(a[i+1]) - int(a[i]))
		moved += abs(int(b[i]) - int(a[i]))
	}
	// A flat picture has none of either; pure noise about 70 a pixel.
	if mean := edges / (w * h); mean < 2 || mean > 40 {
		t.Errorf("neighbours differ by %d on average", mean)
	}
	if mean := moved / (w * h); mean < 3 || mean > 40 {
		t.Errorf("frames differ by %d on average", mean)
	}
}

func abs(x int) int { return max(x, -x) }
