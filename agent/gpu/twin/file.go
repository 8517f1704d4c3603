package twin

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// The file as it is written. Every value keeps its place, for messages.
type document struct {
	Driver     scalar      `yaml:"driver"`
	CUDA       scalar      `yaml:"cuda"`
	API        scalar      `yaml:"nvenc-api"`
	SessionCap scalar      `yaml:"session-cap"`
	Code       scalar      `yaml:"session-code"`
	Throttle   scalar      `yaml:"throttle"`
	Devices    []deviceRow `yaml:"devices"`
	Faults     []faultRow  `yaml:"faults"`
}

type deviceRow struct {
	Model  scalar `yaml:"model"`
	Count  scalar `yaml:"count"`
	UUID   scalar `yaml:"uuid"`
	Memory scalar `yaml:"memory-mib"`
	NVENC  scalar `yaml:"nvenc"`
}

type faultRow struct {
	Kind    scalar `yaml:"kind"`
	Device  scalar `yaml:"device"`
	After   scalar `yaml:"after"`
	Limit   scalar `yaml:"limit"`
	Code    scalar `yaml:"code"`
	Part    scalar `yaml:"part"`
	Version scalar `yaml:"api"`
}

type scalar struct {
	text string
	at   *token.Token // nil where the file says nothing
}

func (s *scalar) UnmarshalYAML(n ast.Node) error {
	v, ok := n.(ast.ScalarNode)
	if !ok {
		return &misplaced{n.GetToken(), "one value is wanted here"}
	}
	s.at = v.GetToken()
	s.text = s.at.Value
	return nil
}

// misplaced is a mistake with its place.
type misplaced struct {
	at      *token.Token
	message string
}

func (m *misplaced) Error() string { return m.message }

// reader collects the first mistake; what comes after it reads zeros.
type reader struct{ err *misplaced }

func (r *reader) fail(at *token.Token, format string, args ...any) {
	if r.err == nil {
		r.err = &misplaced{at, fmt.Sprintf(format, args...)}
	}
}

func (r *reader) number(s scalar, otherwise, low, high int64) int64 {
	if s.at == nil {
		return otherwise
	}
	n, err := strconv.ParseInt(s.text, 10, 64)
	if err != nil || n < low || n > high {
		r.fail(s.at, "%q: give a whole number from %d to %d", s.text, low, high)
	}
	return n
}

func (r *reader) share(s scalar) float64 {
	if s.at == nil {
		return 0
	}
	f, err := strconv.ParseFloat(s.text, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		r.fail(s.at, "%q: give a share from 0 to 1", s.text)
	}
	return f
}

func (r *reader) version(s scalar, otherwise Version) Version {
	if s.at == nil {
		return otherwise
	}
	var v Version
	if n, err := fmt.Sscanf(s.text, "%d.%d", &v.Major, &v.Minor); n != 2 || err != nil || v.Minor > 15 {
		r.fail(s.at, "%q: give a version such as 12.1", s.text)
	}
	return v
}

func (r *reader) oneOf(s scalar, words []string) string {
	if s.at != nil && !slices.Contains(words, s.text) {
		r.fail(s.at, "%q: give one of %s", s.text, strings.Join(words, ", "))
	}
	return s.text
}

var (
	driverPattern = regexp.MustCompile(`^\d+(\.\d+)+$`)
	uuidPattern   = regexp.MustCompile(`^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// ParseFile reads a YAML file; name is the file's for messages, which begin
// with name:line:column.
func ParseFile(name string, text []byte) (Spec, error) {
	var d document
	if err := yaml.UnmarshalWithOptions(text, &d, yaml.Strict()); err != nil {
		return Spec{}, place(name, err)
	}
	r := &reader{}
	s := r.spec(d)
	if r.err != nil {
		return Spec{}, place(name, r.err)
	}
	if len(s.Devices) == 0 && !slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Kind == NoDevice }) {
		return Spec{}, fmt.Errorf("%s:1:1: there are no devices; list some under `devices:`, such as `- model: l4`", name)
	}
	return s, nil
}

func place(name string, err error) error {
	at, message := (*token.Token)(nil), err.Error()
	var mine *misplaced
	var theirs yaml.Error
	switch {
	case errors.As(err, &mine):
		at, message = mine.at, mine.message
	case errors.As(err, &theirs):
		at, message = theirs.GetToken(), theirs.GetMessage()
	}
	if at == nil {
		return fmt.Errorf("%s:1:1: %s", name, message)
	}
	return fmt.Errorf("%s:%d:%d: %s", name, at.Position.Line, at.Position.Column, message)
}

func (r *reader) spec(d document) Spec {
	s := base()
	if d.Driver.at != nil {
		s.Driver = d.Driver.text
		if !driverPattern.MatchString(s.Driver) {
			r.fail(d.Driver.at, "%q: give a driver version such as 550.144.03", s.Driver)
		}
	}
	s.CUDA = r.version(d.CUDA, s.CUDA)
	s.API = r.version(d.API, s.API)
	s.SessionCap = int(r.number(d.SessionCap, int64(s.SessionCap), 0, 512))
	s.SessionCode = int(r.number(d.Code, int64(s.SessionCode), 1, 1000))
	s.Throttle = r.share(d.Throttle)
	for _, row := range d.Devices {
		r.device(&s, row)
	}
	for _, row := range d.Faults {
		s.Faults = append(s.Faults, r.fault(row, len(s.Devices)))
	}
	if len(d.Faults) > maxFaults {
		r.fail(d.Faults[maxFaults].Kind.at, "there can be %d faults at most", maxFaults)
	}
	return s
}

func (r *reader) device(s *Spec, row deviceRow) {
	if row.UUID.at != nil && !uuidPattern.MatchString(row.UUID.text) {
		r.fail(row.UUID.at, "%q: give a UUID such as GPU-01234567-89ab-cdef-0123-456789abcdef", row.UUID.text)
	}
	count := int(r.number(row.Count, 1, 1, maxDevices))
	if row.UUID.at != nil && count > 1 {
		r.fail(row.UUID.at, "a UUID is of one card; leave count out")
	}
	d := Device{
		Model: row.Model.text, UUID: row.UUID.text,
		Memory: r.number(row.Memory, 0, 256, 1<<20) << 20,
		NVENC:  int(r.number(row.NVENC, -1, 0, 8)),
	}
	if err := s.add(d, count); err != nil {
		r.fail(row.Model.at, "%v", err)
	}
}

// needs says which keys a kind of fault cannot do without.
func (row faultRow) needs() []scalar {
	switch Kind(row.Kind.text) {
	case SessionsMax:
		return []scalar{row.Limit, row.Code}
	case XID, MemoryMax:
		return []scalar{row.Limit}
	case BrokenContext:
		return []scalar{row.Code}
	case Hang:
		return []scalar{row.Part}
	case Init:
		return []scalar{row.Part, row.Code}
	case APIMax:
		return []scalar{row.Version}
	}
	return nil
}

func (r *reader) fault(row faultRow, devices int) Fault {
	f := Fault{
		Kind: Kind(r.oneOf(row.Kind, kinds())), Device: AnyDevice,
		Limit:   r.number(row.Limit, 0, 0, 1<<50),
		Code:    int(r.number(row.Code, 0, 1, 1000)),
		Part:    Part(r.oneOf(row.Part, parts())),
		Version: r.version(row.Version, Version{}),
	}
	if row.Device.at != nil {
		f.Device = int(r.number(row.Device, AnyDevice, 0, int64(devices)-1))
	}
	if row.After.at != nil {
		after, err := time.ParseDuration(row.After.text)
		if err != nil || after < 0 {
			r.fail(row.After.at, "%q: give a time such as 10s", row.After.text)
		}
		f.After = after
	}
	for _, need := range row.needs() {
		if need.at == nil {
			r.fail(row.Kind.at, "%s says too little: sessions-max has limit and code, xid and memory-max limit, hang part, init part and code, api-max api, broken-context code", row.Kind.text)
		}
	}
	if row.Kind.at == nil {
		r.fail(nil, "a fault has no kind; give one of %s", strings.Join(kinds(), ", "))
	}
	return f
}

func kinds() []string {
	all := []Kind{NoDevice, NoNVENC, SessionsMax, Lost, XID, MemoryMax, Hang, Init, APIMax, BrokenContext}
	words := make([]string, len(all))
	for i, k := range all {
		words[i] = string(k)
	}
	return words
}
