package keys

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// known is a DRM system with a name here.
type known struct {
	name, label string // in key files, and as manifests have it
	id          ID
	// format and versions of EXT-X-KEY.
	format, versions string
}

// systems whose signalling is public. Clear Key, which hides the key from
// nobody but the network, is how a job is tried out in any browser.
func systems() []known {
	return []known{
		{"widevine", "Widevine", mustID("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"), "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", "1"},
		{"playready", "MSPR 2.0", mustID("9a04f079-9840-4286-ab92-e65be0885f95"), "com.microsoft.playready", "1"},
		{"fairplay", "FairPlay", mustID("94ce86fb-07ff-4f43-adb8-93d2fa968ca2"), "com.apple.streamingkeydelivery", "1"},
		{"clearkey", "ClearKey1.0", ClearKey(), "org.w3.clearkey", "1"},
	}
}

// ClearKey is the system id of W3C Clear Key in manifests (DASH-IF IOP part 6).
func ClearKey() ID { return mustID("e2719d58-a985-b3c9-781a-b030af78d30e") }

// Common is the system id of the W3C's PSSH box, which only lists key ids.
func Common() ID { return mustID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b") }

func mustID(s string) ID {
	id, err := ParseID(s)
	if err != nil {
		panic(err)
	}
	return id
}

func byName(name string) (known, bool) {
	all := systems()
	i := slices.IndexFunc(all, func(k known) bool { return k.name == name })
	if i < 0 {
		return known{}, false
	}
	return all[i], true
}

func byID(id ID) (known, bool) {
	all := systems()
	i := slices.IndexFunc(all, func(k known) bool { return k.id == id })
	if i < 0 {
		return known{}, false
	}
	return all[i], true
}

// Name is what people call the system, empty where it has none here.
func (s System) Name() string {
	k, _ := byID(s.ID)
	return k.label
}

// complete fills in what follows from the rest for a key of this id.
func (s System) complete(key ID) System {
	if s.ID == ClearKey() && len(s.PSSH) == 0 {
		s.PSSH = pssh(Common(), []ID{key}, nil)
	}
	if s.URI == "" {
		s.URI = s.dataURI(key)
	}
	if k, ok := byID(s.ID); ok && s.URI != "" && s.Format == "" {
		s.Format, s.Versions = k.format, k.versions
	}
	return s
}

// dataURI is how EXT-X-KEY carries what a system needs, where it needs no more
// than its box: Widevine the box, PlayReady its object, Clear Key the key's id.
func (s System) dataURI(key ID) string {
	var body []byte
	charset := ""
	switch k, _ := byID(s.ID); {
	case k.name == "clearkey":
		body = key[:]
	case k.name == "widevine":
		body = s.PSSH
	case k.name == "playready":
		body, charset = psshData(s.PSSH), ";charset=UTF-16"
	}
	if len(body) == 0 {
		return ""
	}
	return "data:text/plain" + charset + ";base64," + base64.StdEncoding.EncodeToString(body)
}

// pssh is a box of ISO/IEC 23001-7 §8.1: version 1 where it lists keys.
func pssh(system ID, keys []ID, data []byte) []byte {
	b := append([]byte{0, 0, 0, 0, 'p', 's', 's', 'h', 0, 0, 0, 0}, system[:]...)
	if len(keys) > 0 {
		b[8] = 1
		b = binary.BigEndian.AppendUint32(b, uint32(len(keys)))
		for _, k := range keys {
			b = append(b, k[:]...)
		}
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// headOf is where the data of a PSSH box begins; ok is false where b is none.
func headOf(b []byte) (head int, ok bool) {
	const fixed = 28
	if len(b) < fixed+4 || string(b[4:8]) != "pssh" || int(binary.BigEndian.Uint32(b)) != len(b) || b[8] > 1 {
		return 0, false
	}
	head = fixed
	if b[8] == 1 {
		n := int64(binary.BigEndian.Uint32(b[fixed:]))
		if int64(fixed)+4+16*n+4 > int64(len(b)) {
			return 0, false
		}
		head += 4 + 16*int(n)
	}
	return head + 4, int64(head)+4+int64(binary.BigEndian.Uint32(b[head:])) == int64(len(b))
}

// IDsIn are the keys that a PSSH box lists, none where b is no box.
func IDsIn(b []byte) [][16]byte {
	if _, ok := headOf(b); !ok || b[8] != 1 {
		return nil
	}
	var ids [][16]byte
	for n, at := binary.BigEndian.Uint32(b[28:]), 32; n > 0; n, at = n-1, at+16 {
		ids = append(ids, [16]byte(b[at:]))
	}
	return ids
}

func psshData(b []byte) []byte {
	if head, ok := headOf(b); ok {
		return b[head:]
	}
	return nil
}

// boxOf takes a whole PSSH box of the system, or the data of one.
func boxOf(system ID, b []byte) ([]byte, bool) {
	if _, ok := headOf(b); ok {
		return b, ID(b[12:28]) == system || system == ClearKey() && ID(b[12:28]) == Common()
	}
	return pssh(system, nil, b), len(b) > 0 && (len(b) < 8 || string(b[4:8]) != "pssh")
}
