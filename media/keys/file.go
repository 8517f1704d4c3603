package keys

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// File is a key file. It is read when a worker starts.
type File struct {
	Path  string
	Rules input.Rules
}

// most that a key file or a key server's answer may hold.
const most = 1 << 20

// Keys implements Source.
func (f File) Keys(_ context.Context, c Content) (Set, error) {
	text, err := input.ReadFile(f.Path, f.Rules, most)
	if err != nil {
		return nil, about(err)
	}
	set, err := Parse(text)
	if err != nil {
		return nil, refused("key file "+f.Path+": "+err.Error(), "write it as docs/encryption.md shows; its keys are keys and systems")
	}
	return set, nil
}

// fileText is a key file as written.
type fileText struct {
	Keys    []keyText    `yaml:"keys"`
	Systems []systemText `yaml:"systems"`
}

type keyText struct {
	For Kind   `yaml:"for"`
	ID  string `yaml:"id"`
	Key string `yaml:"key"`
	IV  string `yaml:"iv"`
}

type systemText struct {
	Name    string  `yaml:"name"`
	ID      string  `yaml:"id"`
	For     Kind    `yaml:"for"`
	PSSH    string  `yaml:"pssh"`
	License string  `yaml:"license"`
	HLS     hlsText `yaml:"hls"`
}

type hlsText struct {
	URI      string `yaml:"uri"`
	Format   string `yaml:"format"`
	Versions string `yaml:"versions"`
}

// Parse reads a key file, YAML or JSON. Errors say where, never what: a job may
// name any file that its farm may read.
func Parse(text []byte) (Set, error) {
	var f fileText
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, position(err)
	}
	if len(f.Keys) == 0 {
		return nil, errors.New("it has no keys")
	}
	set := Set{}
	for i, k := range f.Keys {
		kind, key, err := k.read()
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if _, twice := set[kind]; twice {
			return nil, fmt.Errorf("keys[%d]: a second key for %s", i, kind)
		}
		set[kind] = key
	}
	if len(f.Systems) == 0 {
		f.Systems = []systemText{{Name: "clearkey"}}
	}
	for i, s := range f.Systems {
		if err := s.into(set); err != nil {
			return nil, fmt.Errorf("systems[%d]: %w", i, err)
		}
	}
	return set, nil
}

// position is where a parser stumbled, without what it read there.
func position(err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		p := at.GetToken().Position
		return fmt.Errorf("line %d, column %d is not as a key file is written", p.Line, p.Column)
	}
	return errors.New("it is not written as a key file")
}

func kinds() []Kind { return []Kind{All, Video, SD, HD, UHD, Audio} }

func (k keyText) read() (Kind, Key, error) {
	var out Key
	if k.For == "" {
		k.For = All
	}
	if !slices.Contains(kinds(), k.For) {
		return "", out, fmt.Errorf("for: want one of %v", kinds())
	}
	id, err := ParseID(k.ID)
	if err != nil {
		return "", out, fmt.Errorf("id: %w", err)
	}
	value, err := ParseID(k.Key)
	if err != nil {
		return "", out, errors.New("key: want 32 hexadecimal digits")
	}
	if k.IV != "" {
		if out.IV, err = hex.DecodeString(k.IV); err != nil || len(out.IV) != 16 && len(out.IV) != 8 {
			return "", out, errors.New("iv: want 32 hexadecimal digits, or 16")
		}
	}
	out.ID, out.Value = id, Secret(value)
	return k.For, out, nil
}

// into adds the system to the keys that it is for: all, unless it names one.
func (s systemText) into(set Set) error {
	sys, err := s.read()
	if err != nil {
		return err
	}
	if _, ok := set[s.For]; s.For != "" && !ok {
		return errors.New("for: no key is for that")
	}
	for kind, key := range set {
		if s.For == "" || s.For == kind {
			key.Systems = append(slices.Clone(key.Systems), sys.complete(key.ID))
			set[kind] = key
		}
	}
	return nil
}

func (s systemText) read() (System, error) {
	out := System{Format: s.HLS.Format, Versions: s.HLS.Versions, URI: s.HLS.URI, License: s.License}
	switch k, ok := byName(s.Name); {
	case ok && s.ID == "":
		out.ID = k.id
	case s.Name != "" && !ok:
		return out, errors.New("name: want widevine, playready, fairplay or clearkey; any other system has an id")
	default:
		id, err := ParseID(s.ID)
		if err != nil {
			return out, fmt.Errorf("id: %w", err)
		}
		out.ID = id
	}
	if s.PSSH == "" {
		return out, nil
	}
	b, err := base64.StdEncoding.DecodeString(s.PSSH)
	if err != nil {
		return out, errors.New("pssh: want base64")
	}
	box, ok := boxOf(out.ID, b)
	if !ok {
		return out, errors.New("pssh: it is a broken box, or one of another system")
	}
	out.PSSH = box
	return out, nil
}

func refused(message, advice string) error {
	return &media.Error{Code: media.SourceError, Message: message, Advice: advice}
}

// about says that it is keys which could not be read, not the job's source.
func about(err error) error {
	me, ok := errors.AsType[*media.Error](err)
	if !ok {
		return &media.Error{Code: media.SourceError, Message: "read keys", Err: err, Advice: "check the key file or key server that the job names"}
	}
	out := *me
	out.Message = "keys: " + me.Message
	return &out
}
