// Package keyserver is a key server for tests: it answers a CPIX document as
// SPEKE 2 has it, and gives Clear Key players their keys as EME has it. Keys are
// made from their ids, so that they are the same whenever they are asked for.
//
// It knows nothing of jobs. Only tests import it.
package keyserver

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Key is the key that goes with an id.
func Key(id [16]byte) [16]byte {
	sum := sha256.Sum256(append([]byte("key of "), id[:]...))
	return [16]byte(sum[:16])
}

// New answers POSTs of CPIX documents to any path, and of license requests to
// /license.
func New() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /license", license)
	mux.HandleFunc("OPTIONS /license", allow)
	mux.HandleFunc("POST /", exchange)
	return mux
}

// document is what of a request is answered.
type document struct {
	ContentID string `xml:"contentId,attr"`
	Keys      []struct {
		KID    string `xml:"kid,attr"`
		Scheme string `xml:"commonEncryptionScheme,attr"`
	} `xml:"ContentKeyList>ContentKey"`
	Systems []struct {
		KID    string `xml:"kid,attr"`
		System string `xml:"systemId,attr"`
	} `xml:"DRMSystemList>DRMSystem"`
}

func exchange(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var doc document
	if err != nil || xml.Unmarshal(body, &doc) != nil || r.Header.Get("X-Speke-Version") != "2.0" || doc.ContentID == "" || len(doc.Keys) == 0 {
		http.Error(w, "want a CPIX document of SPEKE 2", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Speke-Version", "2.0")
	fmt.Fprintf(w, `<cpix:CPIX xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" contentId=%q version="2.3"><cpix:ContentKeyList>`, doc.ContentID)
	for _, k := range doc.Keys {
		id := parse(k.KID)
		value := Key(id)
		fmt.Fprintf(w, `<cpix:ContentKey kid=%q commonEncryptionScheme=%q explicitIV=%q><cpix:Data><pskc:Secret><pskc:PlainValue>%s</pskc:PlainValue></pskc:Secret></cpix:Data></cpix:ContentKey>`,
			k.KID, k.Scheme, encode(id[:]), encode(value[:]))
	}
	fmt.Fprint(w, `</cpix:ContentKeyList><cpix:DRMSystemList>`)
	for _, s := range doc.Systems {
		box := pssh(parse(s.System), parse(s.KID), []byte("data"))
		tag := fmt.Sprintf(`#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,%s",KEYFORMAT="urn:uuid:%s",KEYFORMATVERSIONS="1"`, encode(box), s.System)
		if s.System == "e2719d58-a985-b3c9-781a-b030af78d30e" { // what players know it by
			id := parse(s.KID)
			box = pssh(parse("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"), id, nil)
			tag = fmt.Sprintf(`#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,%s",KEYFORMAT="org.w3.clearkey",KEYFORMATVERSIONS="1"`, encode(id[:]))
		}
		manifest := fmt.Sprintf(`<pssh xmlns="urn:mpeg:cenc:2013">%s</pssh><Laurl xmlns="https://dashif.org/CPS">http://%s/license</Laurl>`, encode(box), r.Host)
		fmt.Fprintf(w, `<cpix:DRMSystem kid=%q systemId=%q><cpix:PSSH>%s</cpix:PSSH><cpix:ContentProtectionData>%s</cpix:ContentProtectionData><cpix:HLSSignalingData playlist="media">%s</cpix:HLSSignalingData></cpix:DRMSystem>`,
			s.KID, s.System, encode(box), encode([]byte(manifest)), encode([]byte(tag)))
	}
	fmt.Fprint(w, `</cpix:DRMSystemList></cpix:CPIX>`)
}

// allow lets pages of other origins ask.
func allow(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "*")
}

// license answers a Clear Key request (Encrypted Media Extensions §9.1.3).
func license(w http.ResponseWriter, r *http.Request) {
	var request struct {
		KIDs []string `json:"kids"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "want a Clear Key request", http.StatusBadRequest)
		return
	}
	type jwk struct {
		Type string `json:"kty"`
		KID  string `json:"kid"`
		Key  string `json:"k"`
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for _, kid := range request.KIDs {
		if id, err := base64.RawURLEncoding.DecodeString(kid); err == nil && len(id) == 16 {
			value := Key([16]byte(id))
			set.Keys = append(set.Keys, jwk{"oct", kid, base64.RawURLEncoding.EncodeToString(value[:])})
		}
	}
	allow(w, r)
	_ = json.NewEncoder(w).Encode(set)
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func parse(uuid string) (id [16]byte) {
	b, _ := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	copy(id[:], b)
	return id
}

// pssh is a box of the system that lists one key.
func pssh(system, key [16]byte, data []byte) []byte {
	b := append([]byte{0, 0, 0, 0, 'p', 's', 's', 'h', 1, 0, 0, 0}, system[:]...)
	b = append(binary.BigEndian.AppendUint32(b, 1), key[:]...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}
