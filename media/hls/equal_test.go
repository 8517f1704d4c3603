package hls

import (
	"reflect"
	"testing"
	"time"
)

// Whatever field a list or a segment has or gets, lists that differ in it are
// not equal: takers would be given each other's playlists.
func TestEqualLooksAtEveryField(t *testing.T) {
	list := func() *Media {
		return &Media{Keys: []Key{{URI: "k"}}, Segments: []Segment{{Number: 1, IFrames: []IFrame{{Size: 1}}}}, DateRanges: []DateRange{{ID: "r"}}}
	}
	if !list().Equal(list()) {
		t.Fatal("two lists that are the same are not equal")
	}
	check := func(name string, of func(*Media) any) {
		typ := reflect.TypeOf(of(list())).Elem()
		for i := range typ.NumField() {
			m := list()
			change(t, reflect.ValueOf(of(m)).Elem().Field(i))
			if m.Equal(list()) {
				t.Errorf("%s.%s is not compared", name, typ.Field(i).Name)
			}
			c := m.Clone()
			if !m.Equal(&c) {
				t.Errorf("%s.%s is not cloned", name, typ.Field(i).Name)
			}
		}
	}
	check("Media", func(m *Media) any { return m })
	check("Segment", func(m *Media) any { return &m.Segments[0] })
	check("IFrame", func(m *Media) any { return &m.Segments[0].IFrames[0] })
	check("DateRange", func(m *Media) any { return &m.DateRanges[0] })
	check("Key", func(m *Media) any { return &m.Keys[0] })
}

func change(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 7)
	case reflect.Uint64:
		v.SetUint(v.Uint() + 7)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			t.Fatalf("teach this test to change a %v", v.Type())
		}
		v.Set(reflect.ValueOf(time.Unix(7, 0)))
	default:
		t.Fatalf("teach this test to change a %v", v.Kind())
	}
}

// A list that is cloned does not follow the one that it was cloned from.
func TestCloneStays(t *testing.T) {
	m := &Media{Live: true, Window: 2}
	for n := range int64(2) {
		if _, err := m.Append(Segment{Number: n}); err != nil {
			t.Fatal(err)
		}
	}
	c := m.Clone()
	if _, err := m.Append(Segment{Number: 2}); err != nil {
		t.Fatal(err)
	}
	if c.Segments[0].Number != 0 || len(c.Segments) != 2 {
		t.Errorf("the clone lists %v", c.Segments)
	}
}
