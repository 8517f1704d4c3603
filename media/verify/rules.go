package verify

import "slices"

// Level is how binding a rule is.
type Level string

// The levels of RFC 2119 that are judged.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// Rule is one thing that must or should hold.
type Rule struct {
	ID     string `json:"id"`
	Clause string `json:"clause"`
	Level  Level  `json:"level"`
	Title  string `json:"title"`
	// Advice is what to do when it does not hold.
	Advice string `json:"advice"`
}

// Rules in the order of the report: the tree, the grid, the DASH manifest,
// encryption, the decode, what two outputs owe each other, and Apple's authoring specification
// by number.
func Rules() []Rule {
	return slices.Concat(treeRules(), gridRules(), dashRules(), encryptionRules(), outputRules(), appleRules())
}

func treeRules() []Rule {
	return []Rule{
		{"playlists", "RFC 8216bis §4", Must, "playlists parse and point at each other", "look at the playlist's text at the named place; the packager wrote it"},
		{"files", "RFC 8216bis §6.2.1", Must, "every listed object is there", "the writer lists a segment only after it stored it; look for a failed PUT in the worker's log"},
		{"names", "design §3 Names", Must, "a segment's name is its media sequence number", "a writer that resumed must continue the numbers of the grid"},
		{"init", "CMAF §7.3", Must, "init segments have one track, no edit list, a known codec", "see the init segment with an MP4 inspector; the packager wrote it"},
		{"init-name", "design §3 Init", Must, "an init segment is named by the hash of its content", "an init segment was changed in place; players keep the old one"},
		{"target", "RFC 8216bis §4.4.3.1", Must, "no EXTINF rounds to more than the target duration", "the target duration is fixed when the job starts; segments must fit it"},
		{"extinf", "RFC 8216bis §4.4.4.1", Must, "EXTINF is the duration of the segment", "durations come from the grid, not from clocks"},
		{"iframes", "RFC 8216bis §4.4.3.6", Must, "each byte range of an I-frame playlist is one moof and one IDR, none is left out", "rewrite the I-frame playlist from the segments' fragments"},
	}
}

func gridRules() []Rule {
	return []Rule{
		{"tfdt", "design §3 Ticks", Must, "decode time is segment number × segment length, in 64 bits", "the worker counted from something else than the anchor; see its anchor and generation"},
		{"length", "design §3 Segments", Must, "every segment but the last is one segment length", "frames are missing at the end of a segment; look for shed load or a source gap that was not filled"},
		{"frames", "design §3 Ticks", Must, "frame i of a segment decodes at start + i frames, and every index is presented once", "the encoder dropped or reordered frames across a segment boundary"},
		{"gop", "design §3 Segments", Must, "an IDR opens every GOP, GOPs have one length", "IDRs must be forced on the frame; scene-cut IDRs must be off"},
		{"closed-gop", "design §3 Segments", Must, "no frame of a GOP is presented before its IDR or needs another GOP", "the encoder ran with open GOPs"},
		{"trun", "design §3 Ticks", Must, "trun version 1 with signed offsets, default-base-is-moof, the IDR's offset 0", "the packager must write composition offsets relative to the segment start"},
		{"sync", "ISO/IEC 14496-12 §8.8.3.1", Must, "sample flags say what the NAL units say", "the packager must take the sync flag from the frame"},
		{"boundaries", "design §3 Segments", Must, "segments of one number start and end together in all video renditions", "renditions of one job must share one grid and one anchor"},
		{"idr-aligned", "design §3 Segments", Must, "IDRs are at the same instants in all video renditions", "renditions of one job must share one grid; extra IDRs must be forced in all of them"},
		{"counts", "design §3 Segments", Must, "a rung at rate/k has a kth of the frames", "a rung dropped or doubled frames by itself"},
		{"audio-grid", "design §3 Audio", Must, "an audio segment holds the frames that start inside the video segment", "audio frames must be counted from the origin of the grid"},
		{"captions", "RFC 8216bis §4.4.6.1", Must, "closed captions that are declared are in the pictures of every rendition, and the other way round", "captions are put into the packets of every encoder: see the job's source for what it carries"},
		{"captions-group", "RFC 8216bis §4.4.6.2", Must, "every variant names its group of closed captions, or all say NONE", "the manifest writer gives all variants the same"},
		{"webvtt", "RFC 8216bis §3.1.4", Must, "segments of subtitles are WebVTT with a timestamp map, and their cues are on screen in them", "the packager writes a cue into every segment in which it is shown"},
		{"text-aligned", "RFC 8216bis §6.2.4", Must, "segments of subtitles have the numbers and durations of the pictures', and every variant names their group", "the packager cuts subtitles where it cuts the first rendition with pictures"},
		{"thumbnails", "WebVTT, Media Fragments 1.0 §4.2.2", Must, "thumbnails follow each other from the clip's beginning to its end, each a part of a sheet that is there and decodes", "sheets and list are made of the published segments at the end: queue the job again under another id"},
		{"mp4", "ISO/IEC 14496-12 §8.6.6", Must, "an MP4 file has its index first and the frames of the segments, shown when they are, to a tick", "the file is made of the published segments at the end: queue the job again under another id"},
		{"brands", "DASH-IF live media ingest, interface 1, 18–19", Should, "segments that fill a lapse have the brand slat, and they alone; only the last one has lmsg", "the worker brands what it makes: look for a writer of another release, or for one that lost a lapse which its predecessor had marked"},
		{"steering", "RFC 8216bis §4.4.6.6", Must, "where players are told whom to ask which replica to take, every variant is of a pathway, and the answer is there and names what is listed", "each replica writes it beside the playlists: see the events of the job's outputs, or submit the job with --steering off"},
		{"no-gap", "design headline", Should, "no gap is listed", "a segment was lost; the job's events say when and why"},
	}
}

func dashRules() []Rule {
	return []Rule{
		{"dash", "ISO/IEC 23009-1 §5.3.1", Must, "the manifest parses and leads to segments by template", "look at manifest.mpd; the packager wrote it"},
		{"dash-type", "ISO/IEC 23009-1 §5.3.1.2", Must, "it is dynamic while the playlists grow, and says when to ask for what; static at their end", "the manifest writer ends it with the job; see the worker's log for a failed PUT"},
		{"dash-same", "design §4", Must, "it has the renditions of the master playlist, as they are", "both are written from one list of renditions"},
		{"dash-sets", "ISO/IEC 23009-1 §5.3.3", Must, "a set is of one codec family and language, aligned, and begins with SAP 1", "only what switches without a seam shares an Adaptation Set"},
		{"dash-segments", "ISO/IEC 23009-1 §5.3.9.4", Must, "every init and media segment that it promises is there", "a Period must not cover a missing segment or another init segment"},
		{"dash-times", "ISO/IEC 23009-1 §5.3.9.2", Must, "numbers, durations and offsets agree with tfdt", "segments are counted on the grid; see tfdt and audio-grid"},
		{"dash-lapses", "ISO/IEC 23009-1 §5.10.2", Must, "its events mark the lapses that the playlists mark, to the millisecond and in the Periods that they are in", "both are written from one list of lapses; see the worker's log for a failed PUT"},
		{"dash-captions", "SCTE 214-1 §7.2", Must, "its sets of pictures declare the captions that the master playlist declares", "both are written from what the pictures were found to carry"},
		{"dash-text", "ISO/IEC 23009-1 §5.3.7", Must, "its subtitles are those of the master playlist: a clip's each as one WebVTT file that is there and holds the cues of the segments, a live job's as segments in boxes", "the packager gathers a clip's file from the segments when it ends; an output that cannot be read back has none"},
		{"wvtt", "ISO/IEC 14496-30 §7", Must, "a live segment of subtitles begins and ends with the pictures' of its number, its samples follow each other and show what the WebVTT of that number shows", "both are written from the same cues by the same worker: look for a writer that took over with another grid"},
		{"dash-thumbnails", "DASH-IF IOP v4.3 §6.2.6", Must, "its tiles are the thumbnails that the list has, sheet by sheet", "both are written from one plan"},
		{"dash-bandwidth", "ISO/IEC 23009-1 §5.3.5.2", Must, "bandwidth is the measured peak (VOD: to 10 %; live: the peak is below 125 % of it)", "a clip's manifest has measured rates; live: lower maxrate or bufsize of the rung"},
	}
}

func dashIDs() (ids []string) {
	for _, r := range dashRules() {
		ids = append(ids, r.ID)
	}
	return ids
}

func outputRules() []Rule {
	return []Rule{
		{"decode", "design §3", Must, "every rendition decodes without an error, every frame comes out once, in time", "play the named rendition; the encoder's or packager's output is damaged"},
		{"card", "test card", Should, "the card's frame number goes up by the same step in every frame", "frames were doubled or dropped before the encoder: see shed load in the worker's status"},
		{"against-names", "design §3", Must, "both trees have the same renditions, segments and init segments", "one of the two ran another ladder, encoder or driver; they are not replicas"},
		{"against-grid", "design §3", Must, "both trees agree on tfdt, frame counts and IDR positions", "the two did not share an anchor"},
		{"against-whole", "design §3", Should, "neither tree lacks a segment of the time that both cover", "one of the two lost it: its job's events say when and why"},
		{"source-video", "design §9", Must, "the video lasts as long as what decodes of the source, to a frame of each track", "compare the frame count of the source with the job's progress"},
		{"source-audio", "design §9", Must, "the audio lasts as long as what decodes of the source, to a frame of each track", "compare the sample count of the source with the job's progress"},
	}
}

const apple = "Apple HLS authoring "

func appleRule(number string, level Level, title, advice string) Rule {
	return Rule{"apple-" + number, apple + number, level, title, advice}
}

func appleRules() []Rule {
	return append(append(appleMedia(), applePlaylists()...), appleMaster()...)
}

func appleMedia() []Rule {
	return []Rule{
		appleRule("1.1", Must, "video is H.264, HEVC, Dolby Vision or AV1", "choose another codec in the ladder"),
		appleRule("1.3b", Must, "H.264 is at most High profile, level 5.2", "lower the rung's size, rate or profile"),
		appleRule("1.6b", Must, "HEVC is at most Main 10, level 5.1, High tier", "lower the rung's size, rate or profile"),
		appleRule("1.10", Should, "parameter sets are in the sample description (avc1, hvc1)", "open the encoder with global headers"),
		appleRule("1.13", Should, "an IDR every two seconds", "set the ladder's GOP to 2 s"),
		appleRule("1.19", Must, "no frame rate above 60", "cap the rung with fps: source<=60"),
		appleRule("1.26", Must, "VOD: average bit rate within 10 % of AVERAGE-BANDWIDTH", "the master playlist must be rewritten with measured rates at the end"),
		appleRule("1.27", Must, "VOD: peak bit rate within 10 % of BANDWIDTH", "the master playlist must be rewritten with measured rates at the end"),
		appleRule("1.28", Must, "live: average bit rate below 110 % of AVERAGE-BANDWIDTH", "raise the stated rate or lower the encoder's"),
		appleRule("1.29", Must, "live: peak bit rate below 125 % of BANDWIDTH", "lower maxrate or bufsize of the rung"),
		appleRule("1.30", Should, "VOD: peak no more than 200 % of the average", "lower maxrate of the rung"),
		appleRule("2.3", Must, "stereo AAC is there", "add a stereo AAC rung"),
		appleRule("6.1", Must, "I-frame playlists are listed", "the packager writes iframes.m3u8 for each video rendition"),
		appleRule("6.8", Must, "I-frame playlists say EXT-X-I-FRAMES-ONLY", "the packager writes iframes.m3u8"),
		appleRule("6.10", Must, "I-frame ranges include the moof", "ranges begin at the fragment's moof"),
		appleRule("6.11", Must, "live: I-frame playlists have the target duration of the rest", "one target duration for all"),
		appleRule("7.1", Must, "media is continuous across segments", "frames are missing between the named segments"),
		appleRule("7.3", Must, "tfdt continues the segment before", "the packager must count from the grid"),
		appleRule("7.4", Must, "video segments start with an IDR", "the IDR must be forced on the first frame of the segment"),
		appleRule("7.5", Should, "the target duration is 6 s", "2 s is the farm's choice for live: a shorter delay at some cost"),
		appleRule("7.6", Should, "segments are nominally 6 s", "2 s is the farm's choice for live: a shorter delay at some cost"),
		appleRule("7.7", Must, "no segment is longer than the target duration by more than 0.5 s", "the target duration must be rounded from the grid's segment"),
	}
}

func applePlaylists() []Rule {
	return []Rule{
		appleRule("8.1", Must, "EXTINFs of any run of segments add up to the media within one frame", "round instants, not durations"),
		appleRule("8.2", Must, "audio and video have one target duration", "one target duration for all"),
		appleRule("8.3", Must, "audio and video have the same duration", "the shorter track must be filled (silence, last picture) or cut"),
		appleRule("8.4", Must, "live: EXT-X-PROGRAM-DATE-TIME in every playlist", "the packager writes it for live jobs"),
		appleRule("8.6", Must, "VOD: EXT-X-PLAYLIST-TYPE is VOD", "the packager writes it at the end"),
		appleRule("8.7", Must, "VOD playlists cover the same time", "a rendition ended early or began late"),
		appleRule("8.9", Must, "separate audio is declared by EXT-X-MEDIA", "the manifest writer lists audio renditions in a group"),
		appleRule("8.10", Must, "every EXT-X-MEDIA has a LANGUAGE", "use und when it is not known"),
		appleRule("8.11", Must, "live: at least six segments", "wait until six segments are out, or widen the window"),
		appleRule("8.12", Should, "live: at least 15 minutes", "widen the job's window"),
		appleRule("8.15", Must, "discontinuities are at the same points in all renditions", "a change of encoder or source must end the segment run in all renditions"),
		appleRule("8.18", Must, "no redirects", "give the URL that serves the media"),
		appleRule("8.20", Must, "EXT-X-MAP is there", "the packager writes it before the first segment"),
		appleRule("8.22", Should, "audio and video boundaries are at the same points (audio: to one audio frame)", "see audio-grid and boundaries"),
		appleRule("8.24", Should, "live: Last-Modified is within three target durations of Date", "the writer stopped, or clocks differ"),
	}
}

func appleMaster() []Rule {
	return []Rule{
		appleRule("9.1", Must, "CODECS on every variant, and right", "the manifest writer takes CODECS from the init segments"),
		appleRule("9.2", Must, "RESOLUTION on every video variant, and right", "the manifest writer takes it from the rung"),
		appleRule("9.3", Must, "CODECS on every I-frame variant", "the manifest writer takes CODECS from the init segments"),
		appleRule("9.4", Must, "RESOLUTION on every I-frame variant", "the manifest writer takes it from the rung"),
		appleRule("9.9", Must, "more than one video variant", "a ladder for Apple devices has at least two video rungs"),
		appleRule("9.10", Should, "HD: two variants at the top size", "add a second rung at the top size (the ladder hd has one)"),
		appleRule("9.11", Should, "EXT-X-INDEPENDENT-SEGMENTS in the master playlist", "the manifest writer adds it"),
		appleRule("9.12", Must, "else EXT-X-INDEPENDENT-SEGMENTS in all video playlists", "the packager adds it"),
		appleRule("9.13", Must, "BANDWIDTH is there and not below the measured average", "the manifest writer sums the peaks of video and audio"),
		appleRule("9.14", Must, "AVERAGE-BANDWIDTH on every variant", "the manifest writer adds it"),
		appleRule("9.15", Must, "FRAME-RATE on every video variant, and right", "the manifest writer takes it from the grid and the rung's divisor"),
		appleRule("9.16", Must, "VIDEO-RANGE unless all is SDR", "the manifest writer takes it from the source's transfer"),
		appleRule("10.1", Must, "playlists are delivered with gzip", "serve the tree with the farm's origin, or switch gzip on"),
	}
}
