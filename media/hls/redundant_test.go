package hls_test

import (
	"strings"
	"testing"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media/hls"
)

const replica = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,AA==",KEYFORMAT="x"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="a, URI='b'",URI="stereo/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2300000,CODECS="avc1.64001F,mp4a.40.2",AUDIO="stereo",CLOSED-CAPTIONS="cc"
540p/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=140000,CODECS="mp4a.40.2",AUDIO="stereo",CLOSED-CAPTIONS=NONE
stereo/media.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000,CODECS="avc1.64001F",URI="540p/iframes.m3u8"
`

// What belongs to one tree names only what is in it, and the first tree's
// variants come first.
func TestRFC8216_6_2_4_RedundantVariants(t *testing.T) {
	want := `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,AA==",KEYFORMAT="x"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc-r1",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo-r1",NAME="a, URI='b'",URI="r1/stereo/media.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc-r2",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo-r2",NAME="a, URI='b'",URI="r2/stereo/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2300000,CODECS="avc1.64001F,mp4a.40.2",AUDIO="stereo-r1",CLOSED-CAPTIONS="cc-r1"
r1/540p/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=140000,CODECS="mp4a.40.2",AUDIO="stereo-r1",CLOSED-CAPTIONS=NONE
r1/stereo/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2300000,CODECS="avc1.64001F,mp4a.40.2",AUDIO="stereo-r2",CLOSED-CAPTIONS="cc-r2"
r2/540p/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=140000,CODECS="mp4a.40.2",AUDIO="stereo-r2",CLOSED-CAPTIONS=NONE
r2/stereo/media.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000,CODECS="avc1.64001F",URI="r1/540p/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000,CODECS="avc1.64001F",URI="r2/540p/iframes.m3u8"
`
	got := hls.Redundant([]hls.Tree{{Folder: "r1", Master: []byte(replica)}, {Folder: "r2", Master: []byte(replica)}}, "")
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

// With a steering server every variant is of a pathway, and players begin with the
// first tree's.
func TestRFC8216bis_4_4_6_6_ContentSteering(t *testing.T) {
	got := string(hls.Redundant([]hls.Tree{{Folder: "r1", Master: []byte(replica)}, {Folder: "r2", Master: []byte(replica)}}, "steering.json"))
	if n := strings.Count(got, "#EXT-X-CONTENT-STEERING:"); n != 1 || !strings.Contains(got, "\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"steering.json\",PATHWAY-ID=\"r1\"\n") {
		t.Errorf("%d steering tags in\n%s", n, got)
	}
	list, _, err := m3u8.DecodeWith(strings.NewReader(got), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, v := range list.(*m3u8.MasterPlaylist).Variants {
		if of[v.PathwayId]++; !strings.HasPrefix(v.URI, v.PathwayId+"/") || v.PathwayId == "" {
			t.Errorf("%s is of pathway %q", v.URI, v.PathwayId)
		}
	}
	if of["r1"] != 3 || of["r2"] != 3 {
		t.Errorf("variants by pathway: %v", of)
	}
}
