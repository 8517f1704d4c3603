package main

import (
	"fmt"
	"io"
	"os"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/overlay"
)

// logoFiles are the files that a ladder's overlays name, by those names.
type logoFiles map[string][]byte

// read takes a file in, or tells what is wrong with it.
func (l logoFiles) read(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("logo: %w; its path counts from the ladder's folder", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, overlay.MaxLogoBytes+1))
	if err != nil {
		return fmt.Errorf("logo: %w", err)
	}
	if len(b) > overlay.MaxLogoBytes {
		return fmt.Errorf("logo %s: %w: it has more than %d bytes; scale it down to the size at which it is shown", path, overlay.ErrLogo, overlay.MaxLogoBytes)
	}
	if _, err := overlay.ReadLogo(b); err != nil {
		return fmt.Errorf("logo %s: %w", path, err)
	}
	l[name] = b
	return nil
}

// loadLadder reads a ladder and looks into its logos.
func loadLadder(nameOrFile string) (*ladders.Ladder, error) {
	files := logoFiles{}
	l, err := ladders.LoadWith(nameOrFile, func(name string) error { return files.read(name, ladders.Beside(nameOrFile, name)) })
	if err == nil {
		err = overlay.CheckLogos(l, files)
	}
	return l, err
}
