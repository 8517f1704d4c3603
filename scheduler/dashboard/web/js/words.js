// What hls.js reports, as sentences.

export function errorWords(data) {
  const http = data.response?.code ? ` (HTTP ${data.response.code})` : "";
  const segment = data.frag ? `Segment ${nameOf(data.frag.url)}` : "A segment";
  const words = {
    manifestLoadError: `The master playlist could not be loaded${http}.`,
    manifestLoadTimeOut: "The master playlist did not arrive in time.",
    manifestParsingError: `The master playlist cannot be read: ${data.reason ?? "it is not a playlist"}.`,
    manifestIncompatibleCodecsError: "This browser can play none of the ladder's codecs.",
    levelLoadError: `A rendition's playlist could not be loaded${http}.`,
    levelLoadTimeOut: "A rendition's playlist did not arrive in time.",
    levelParsingError: `A rendition's playlist cannot be read: ${data.reason ?? data.error?.message ?? ""}.`,
    levelEmptyError: "A rendition's playlist lists no segment.",
    audioTrackLoadError: `The audio playlist could not be loaded${http}.`,
    audioTrackLoadTimeOut: "The audio playlist did not arrive in time.",
    fragLoadError: `${segment} could not be loaded${http}.`,
    fragLoadTimeOut: `${segment} did not arrive in time.`,
    fragParsingError: `${segment} cannot be read: ${data.reason ?? data.error?.message ?? "it is damaged"}.`,
    fragGap: `${segment} is marked as a gap.`,
    bufferAppendError: `The browser refused a segment: ${data.error?.message ?? "it is damaged"}.`,
    bufferAddCodecError: "This browser cannot play one of the codecs.",
    bufferIncompatibleCodecsError: "This browser cannot play this combination of codecs.",
    bufferStalledError: "The buffer ran empty.",
    bufferNudgeOnStall: "Playback stood still and was nudged on.",
    bufferSeekOverHole: "A hole in the timeline was skipped.",
    bufferFullError: "The browser's buffer is full.",
    mediaElementError: "The browser's decoder gave up.",
  };
  return words[data.details] ?? `${data.details ?? data.type}${http}.`;
}

function nameOf(url) {
  return decodeURIComponent(url.split("?")[0].split("/").slice(-2).join("/"));
}
