package verify

// watchRules are what a tree is held against while it is on air. A hole in the
// programme fails a watch, where a look at the tree only warns.
func watchRules() []Rule {
	return []Rule{
		{"watch-reach", "RFC 8216bis §6.2.1", Must, "the tree answers", "see whether the origin runs and what it logs"},
		{"watch-lists", "RFC 8216bis §4", Must, "playlists parse", "look at the playlist's text; the packager wrote it"},
		{"watch-gap", "design headline", Must, "no gap is listed", "a segment was lost; `gala live record ID` says when and why"},
		{"watch-numbers", "RFC 8216bis §6.2.2", Must, "every number is listed once", "the window moved past what was never listed: look for a writer that joined the present"},
		{"watch-forward", "RFC 8216bis §6.2.2", Must, "the media sequence never goes back", "two writers, or an origin that serves old copies: see epochs in the origin's log"},
		{"watch-append", "RFC 8216bis §6.2.1", Must, "what is listed stays as it is", "playlists only grow at their end; a writer that resumed must read back first"},
		{"watch-fetch", "RFC 8216bis §6.2.1", Must, "what is listed can be read at once", "the writer lists a segment only after it stored it"},
		{"watch-frozen", "design §3", Must, "the bytes of a listed segment never change", "two writers make different bytes and the origin takes both"},
		{"watch-renewed", "RFC 8216bis §6.2.1", Must, "a new segment is listed within one and a half target durations", "the source, the worker or its destination stood still: see the job's record"},
		{"watch-av", "design §3 Audio", Must, "sound and pictures of a number end together, to an audio frame", "audio frames must be counted from the origin of the grid"},
		{"watch-manifest", "ISO/IEC 23009-1 §5.3.1.2", Must, "the manifest parses and its publishTime never goes back", "two writers, or an origin that serves old copies"},
		{"watch-late", "design headline", Should, "no segment comes a segment length later than usual", "see what the job's record has for that time"},
		{"watch-discontinuity", "RFC 8216bis §4.4.4.3", Should, "no discontinuity", "the source began anew, or another encoder took over: see the job's record"},
		{"watch-renditions", "design §4", Should, "every rendition stays listed", "a rendition was given up: see the job's record"},
	}
}
