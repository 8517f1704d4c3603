package input

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/media"
)

func TestLiveAddresses(t *testing.T) {
	for _, tt := range []struct {
		name, allow string
		pushed      bool
		refused     string // "" where it is taken
	}{
		{"srt://10.1.1.1:9000", "srt://10.1.1.1:*", false, ""},
		{"srt://:9000", "srt://:9000/", true, ""},
		{"srt://0.0.0.0:9000?mode=listener&passphrase=secret-secret", "srt://*", true, ""},
		{"udp://@239.1.1.1:5000?program=2", "udp://*", false, ""},
		{"udp://127.0.0.1:5000", "udp://*", true, ""},
		{"rtp://239.1.1.1:5000?source=10.0.0.9", "rtp://*", false, ""},
		{"rtmp://media.example.com/live/gala", "rtmp://media.example.com/*", false, ""},
		{"rtmp://127.0.0.1:1935/live/gala?mode=listener", "rtmp://*", true, ""},
		{"http://10.1.1.1/live/master.m3u8", "http://10.1.1.1/*", false, ""},
		{"srt://10.1.1.1:9000", "udp://*", false, "--allow-source 'srt://10.1.1.1:9000/*'"},
		{"srt://10.1.1.1", "*", false, "names no port"},
		{"srt://10.1.1.1:9000?mode=rendezvous", "*", false, "mode"},
		{"udp://10.1.1.1:9000?fifo_size=9", "*", false, "no option \"fifo_size\""},
		{"udp://10.1.1.1:9000?video=0x100&audio=257,0x102", "*", true, ""},
		{"udp://10.1.1.1:9000?video=0x2000", "*", false, "video \"0x2000\" is no PID"},
		{"srt://10.1.1.1:9000?audio=one", "*", false, "audio \"one\" is no PID"},
		{"rtp://10.1.1.1:9000?program=0", "*", false, "program \"0\" is none"},
		{"rtmp://10.1.1.1/", "*", false, "names no stream"},
		{"srt://169.254.169.254:9000", "*", false, "never a source"},
		{"rtmp://169.254.169.254/a/b", "*", false, "never a source"},
	} {
		err := Rules{Patterns: []string{tt.allow}}.Check(tt.name)
		if tt.refused == "" {
			if err != nil || !Continuous(tt.name) || Pushed(tt.name) != tt.pushed {
				t.Errorf("%s: %v, continuous %v, pushed %v", tt.name, err, Continuous(tt.name), Pushed(tt.name))
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error()+adviceOf(err), tt.refused) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.refused)
		}
	}
	for _, name := range []string{"/clips/a.ts", "http://10.1.1.1/a.mp4", TestCard} {
		if Continuous(name) {
			t.Errorf("%s is taken for live", name)
		}
	}
}

// A passphrase is shown nowhere, whatever else is wrong with the address.
func TestPassphraseIsNotShown(t *testing.T) {
	for _, name := range []string{
		"srt://10.1.1.1:9000?passphrase=secret-secret", "srt://10.1.1.1:9000?latency=200&pass%70hrase=secret&streamid=x",
		"srt://10.1.1.1?passphrase=secret", "srt://10.1.1.1:9000?mode=none&passphrase=secret", "srt://10.1.1.1:9000?no=1&passphrase=secret",
		"srt://10.1.1.1:port?passphrase=secret", "srt://10.1.1.1:9000?a;passphrase=secret", "srt://10.1.1.1:9000?passphrase=secret%zz",
		"srt://169.254.1.1:9000?passphrase=secret", "udp://10.1.1.1:9000?passphrase=secret", "10.1.1.1:9000?passphrase=secret",
		"SRT://10.1.1.1:9000?Passphrase=secret", "srt://u:secret@10.1.1.1:9000",
	} {
		err := Rules{}.Check(name)
		if err == nil || strings.Contains(err.Error()+adviceOf(err), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if got := Display(name); strings.Contains(got, "secret") {
			t.Errorf("shown as %s", got)
		}
	}
	if got, want := Display("srt://10.1.1.1:9000?mode=caller&passphrase=secret&streamid=a%2Fb"), "srt://10.1.1.1:9000?mode=caller&passphrase=xxxxx&streamid=a%2Fb"; got != want {
		t.Errorf("shown as %s, want %s", got, want)
	}
}

func TestChoiceOf(t *testing.T) {
	want := Choice{Program: 2, Video: []int{256}, Audio: []int{257, 258}}
	if diff := cmp.Diff(want, ChoiceOf("srt://10.1.1.1:9000?program=2&video=0x100&audio=257,0x102")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Choice{}, ChoiceOf("http://10.1.1.1/a.m3u8?video=1")); diff != "" {
		t.Error(diff)
	}
}

func TestProgramOfAClip(t *testing.T) {
	for source, want := range map[string]int{
		"/m.ts": 0, "file:///m.ts#program=2": 2, "file:///m.ts#program=010": 10, "https://h/m.ts#growing&program=0x1F": 31, "s3://b/m.ts#program=65535": 65535, "srt://10.1.1.1:9000?program=08": 8,
	} {
		if got := Program(source); got != want {
			t.Errorf("%s: programme %d, want %d", source, got, want)
		}
	}
	for _, source := range []string{"file:///m.ts#program=abc", "https://h/m.ts#program=0", "s3://b/m.ts#program=65536", "file:///m.ts#growing&program=-1", "file:///m.ts#program=1_0", "srt://10.1.1.1:9000?program=0b1"} {
		_, err := Parse(source)
		wantRefused(t, err, "is none", "1 to 65535")
	}
}

func TestNativeTellsLibavWhatWasAsked(t *testing.T) {
	all := Rules{Patterns: []string{"*"}}
	n, err := OpenNative(t.Context(), "srt://localhost:9000?latency=250&passphrase=secret-secret&streamid=a/b", all)
	if err != nil {
		t.Fatal(err)
	}
	if n.URL != "srt://127.0.0.1:9000" || n.Options["latency"] != "250000" || n.Options["passphrase"] != "secret-secret" || n.Options["streamid"] != "a/b" || n.Options["mode"] != "caller" {
		t.Errorf("%+v", n)
	}
	n, err = OpenNative(t.Context(), "rtmp://localhost/live/gala", all)
	if err != nil {
		t.Fatal(err)
	}
	if n.URL != "rtmp://127.0.0.1:1935/live/gala" || n.Options["rtmp_tcurl"] != "rtmp://localhost/live" || n.Protocols != "rtmp,tcp" {
		t.Errorf("%+v", n)
	}
}

func adviceOf(err error) string {
	me, ok := errors.AsType[*media.Error](err)
	if !ok {
		return ""
	}
	return " " + me.Advice
}

func rtp(number uint16, payload byte) []byte {
	p := make([]byte, 12, 13)
	p[0] = 2 << 6
	binary.BigEndian.PutUint16(p[2:], number)
	return append(p, payload)
}

// Packets that come out of order, twice or not at all: what is given is in
// order, once, and what is missing is counted.
func TestRTPOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Uint16().Draw(t, "start")
		var r reorder
		var got []byte
		lost := int64(0)
		put := func(n int) {
			due, l := r.put(rtp(start+uint16(n), byte(n)))
			lost += l
			for _, p := range due {
				got = append(got, p...)
			}
		}
		put(0)
		const n = 100
		missing := rapid.IntRange(1, n-1).Draw(t, "missing")
		order := make([]int, 0, n)
		for i := 1; i < n; i++ {
			order = append(order, i)
		}
		for i := 0; i+1 < len(order); i += 2 { // neighbours change places
			if rapid.Bool().Draw(t, "swap") {
				order[i], order[i+1] = order[i+1], order[i]
			}
		}
		for _, i := range order {
			if i != missing {
				put(i)
				put(i)
			}
		}
		for i := n; i < n+reorderWindow+2; i++ {
			put(i)
		}
		if !slices.IsSorted(got) || lost != 1 || len(got) < n-1 || slices.Contains(got, byte(missing)) {
			t.Fatalf("%d lost, got %v", lost, got)
		}
	})
}

func TestRTPHeaders(t *testing.T) {
	p := rtp(7, 42)
	p[0] |= 0x10 | 1 // an extension, one CSRC
	p = slices.Insert(p, 12, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 9, 9, 9, 9)
	p[0] |= 0x20 // padding
	p = append(p, 0, 0, 3)
	if n, payload, ok := rtpPayload(p); !ok || n != 7 || string(payload) != "*" {
		t.Errorf("%d %v %v", n, payload, ok)
	}
	for _, bad := range [][]byte{nil, make([]byte, 12), {1 << 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, rtp(1, 2)[:12]} {
		if _, _, ok := rtpPayload(bad); ok {
			t.Errorf("%v was taken", bad)
		}
	}
}

func FuzzRTP(f *testing.F) {
	f.Add(rtp(1, 2))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = rtpPayload(b) })
}

func TestDatagramsAreReadInOrder(t *testing.T) {
	port := "127.0.0.1:0"
	probe, err := net.ListenPacket("udp", port)
	if err != nil {
		t.Fatal(err)
	}
	port = probe.LocalAddr().String()
	_ = probe.Close()
	d, err := OpenDatagrams(t.Context(), "udp://"+port, Rules{Patterns: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := net.Dial("udp", port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 10 {
		_, _ = c.Write([]byte{byte(i), byte(i)})
	}
	buf := make([]byte, 1) // a reader smaller than a datagram
	for i := range 20 {
		if n, err := d.Read(buf); err != nil || n != 1 || buf[0] != byte(i/2) {
			t.Fatalf("byte %d is %v: %v", i, buf, err)
		}
	}
}
