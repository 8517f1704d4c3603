package keys

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
)

// The parts of a CPIX document (DASH-IF CPIX 2.3) that a SPEKE 2 exchange uses.
// Names are matched without their prefix when an answer is read.
type cpix struct {
	XMLName   xml.Name     `xml:"cpix:CPIX"`
	CPIX      string       `xml:"xmlns:cpix,attr"`
	PSKC      string       `xml:"xmlns:pskc,attr"`
	ContentID string       `xml:"contentId,attr"`
	Version   string       `xml:"version,attr"`
	Keys      []cpixKey    `xml:"cpix:ContentKeyList>cpix:ContentKey"`
	Systems   []cpixSystem `xml:"cpix:DRMSystemList>cpix:DRMSystem"`
	Rules     []cpixRule   `xml:"cpix:ContentKeyUsageRuleList>cpix:ContentKeyUsageRule"`
}

type cpixKey struct {
	KID    string `xml:"kid,attr"`
	Scheme string `xml:"commonEncryptionScheme,attr"`
}

// cpixSystem has empty elements where the server is asked to fill them in.
type cpixSystem struct {
	KID      string     `xml:"kid,attr"`
	System   string     `xml:"systemId,attr"`
	PSSH     *struct{}  `xml:"cpix:PSSH"`
	Manifest *struct{}  `xml:"cpix:ContentProtectionData"`
	HLS      *cpixMedia `xml:"cpix:HLSSignalingData"`
}

type cpixMedia struct {
	Playlist string `xml:"playlist,attr"`
}

type cpixRule struct {
	KID   string    `xml:"kid,attr"`
	Track string    `xml:"intendedTrackType,attr"`
	Video *struct{} `xml:"cpix:VideoFilter"`
	Audio *struct{} `xml:"cpix:AudioFilter"`
}

// asked are the keys of a job: one for its pictures, one for its sound (SPEKE 2
// calls it preset 1). Their ids follow from the job, so that every worker asks
// for the same ones.
func asked(job string) map[Kind]ID {
	return map[Kind]ID{Video: nameID("video of " + job), Audio: nameID("audio of " + job)}
}

// request is the document that asks for the keys of a job.
func request(c Content, systems []ID) ([]byte, error) {
	doc := cpix{CPIX: "urn:dashif:org:cpix", PSKC: "urn:ietf:params:xml:ns:keyprov:pskc", ContentID: c.Job, Version: "2.3"}
	ids := asked(c.Job)
	for _, kind := range []Kind{Video, Audio} {
		kid := ids[kind].String()
		doc.Keys = append(doc.Keys, cpixKey{kid, string(c.Scheme)})
		for _, s := range systems {
			if k, _ := byID(s); k.name == "fairplay" && c.Scheme == CENC {
				continue // it knows cbcs only
			}
			doc.Systems = append(doc.Systems, cpixSystem{kid, s.String(), &struct{}{}, &struct{}{}, &cpixMedia{"media"}})
		}
		rule := cpixRule{KID: kid, Track: "VIDEO", Video: &struct{}{}}
		if kind == Audio {
			rule = cpixRule{KID: kid, Track: "AUDIO", Audio: &struct{}{}}
		}
		doc.Rules = append(doc.Rules, rule)
	}
	body, err := xml.Marshal(doc)
	return append([]byte(xml.Header), body...), err
}

// cpixAnswer is the same document, filled in.
type cpixAnswer struct {
	XMLName xml.Name `xml:"CPIX"`
	Keys    []struct {
		KID   string `xml:"kid,attr"`
		IV    string `xml:"explicitIV,attr"`
		Value string `xml:"Data>Secret>PlainValue"`
		// Encrypted for the receiver's certificate, which nobody gave.
		Hidden *struct{} `xml:"Data>Secret>EncryptedValue"`
	} `xml:"ContentKeyList>ContentKey"`
	Systems []answerSystem `xml:"DRMSystemList>DRMSystem"`
}

type answerSystem struct {
	KID      string `xml:"kid,attr"`
	System   string `xml:"systemId,attr"`
	PSSH     string `xml:"PSSH"`
	Manifest string `xml:"ContentProtectionData"`
	HLS      []struct {
		Playlist string `xml:"playlist,attr"`
		Lines    string `xml:",chardata"`
	} `xml:"HLSSignalingData"`
}

// answer reads the keys of a job out of a document. Errors quote nothing of it.
func answer(body []byte, c Content) (Set, error) {
	var doc cpixAnswer
	if err := xml.Unmarshal(body, &doc); err != nil {
		return nil, errors.New("it is no CPIX document")
	}
	set := Set{}
	for kind, id := range asked(c.Job) {
		key, err := doc.key(id)
		if err != nil {
			return nil, fmt.Errorf("%s key %s: %w", kind, id, err)
		}
		set[kind] = key
	}
	return set, nil
}

func (doc cpixAnswer) key(id ID) (Key, error) {
	out := Key{ID: id}
	for _, k := range doc.Keys {
		if kid, err := ParseID(k.KID); err != nil || kid != id {
			continue
		}
		value, err := base64.StdEncoding.DecodeString(k.Value)
		switch {
		case k.Hidden != nil:
			return out, errors.New("it is encrypted for somebody else")
		case err != nil || len(value) != 16:
			return out, errors.New("its value is not 16 bytes in base64")
		}
		out.Value = Secret(value)
		if out.IV, err = base64.StdEncoding.DecodeString(k.IV); err != nil || len(out.IV) != 0 && len(out.IV) != 16 {
			return out, errors.New("its explicitIV is not 16 bytes in base64")
		}
		out.Systems, err = doc.systems(id)
		return out, err
	}
	return out, errors.New("it is not there")
}

func (doc cpixAnswer) systems(key ID) ([]System, error) {
	var out []System
	for _, s := range doc.Systems {
		if kid, err := ParseID(s.KID); err != nil || kid != key {
			continue
		}
		sys, err := s.read()
		if err != nil {
			return nil, err
		}
		out = append(out, sys.complete(key))
	}
	return out, nil
}
