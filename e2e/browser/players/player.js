// Plays ?url= with ?player= dash.js, shaka or hls.js, and says how it goes in the words of the farm's own page (window.gala).
const query = new URLSearchParams(location.search);
const video = document.querySelector("video");
const seen = { started: false, stalls: 0, errors: [] };

video.addEventListener("playing", () => { seen.started = true; });
video.addEventListener("waiting", () => { if (seen.started && !video.seeking && !video.ended) seen.stalls++; });

const fail = (type, details, message) => seen.errors.push({ type, details: String(details), message: String(message), fatal: true, words: "" });

function script(src) {
  return new Promise((resolve, reject) => {
    const s = document.createElement("script");
    s.src = src;
    s.onload = resolve;
    s.onerror = () => reject(new Error(`no ${src}`));
    document.head.append(s);
  });
}

async function dashjsPlayer(url) {
  await script("node_modules/dashjs/dist/modern/umd/dash.all.min.js");
  const player = window.dashjs.MediaPlayer().create();
  player.updateSettings({ debug: { logLevel: window.dashjs.Debug.LOG_LEVEL_NONE }, streaming: { abr: { autoSwitchBitrate: { video: false } } } });
  // It looks every 200 ms whether the period is over. When it sees that before the element does - the last frame of sound juts
  // out by up to 21 ms - it says so, goes half a second back and pauses there: the element itself then never ends.
  let over = false;
  player.on(window.dashjs.MediaPlayer.events.PLAYBACK_ENDED, () => { over = true; });
  player.on(window.dashjs.MediaPlayer.events.ERROR, (e) => fail("dash.js", e.error?.code, e.error?.message));
  player.initialize(video, url, true);
  const list = () => (player.isReady() ? player.getRepresentationsByType("video") ?? [] : []);
  return {
    levels: list,
    current: () => player.getCurrentRepresentationForType("video")?.id,
    choose: (id) => player.setRepresentationForTypeById("video", id, true),
    live: () => player.isReady() && player.isDynamic(),
    latency: () => player.getCurrentLiveLatency(),
    ended: () => over,
    texts: () => player.getTracksFor("text").map((t) => ({ language: t.lang, role: t.roles?.[0]?.value ?? "", label: t.labels?.[0]?.text ?? "", embedded: t.isEmbedded })),
    show: (index) => { player.enableText(true); player.setTextTrack(index); },
    // What is shown at a time: sheet, place and size.
    thumbnail: (at) => new Promise((resolve) => player.provideThumbnail(at, (t) => resolve(t ? `${t.url} ${t.x},${t.y} ${t.width}x${t.height}` : ""))),
  };
}

async function shakaPlayer(url) {
  await script("node_modules/shaka-player/dist/shaka-player.dash.js");
  const { shaka } = window;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(video);
  player.configure({ abr: { enabled: false } });
  player.addEventListener("error", (e) => fail("shaka", e.detail.code, JSON.stringify(e.detail.data)));
  player.load(url).then(() => video.play()).catch((e) => fail("shaka", e.code, JSON.stringify(e.data)));
  const list = () => player.getVariantTracks();
  return {
    levels: list,
    current: () => list().find((t) => t.active)?.id,
    choose: (id) => player.selectVariantTrack(list().find((t) => t.id === id), true),
    live: () => player.isLive(),
    latency: () => player.getStats().liveLatency,
    ended: () => false,
    texts: () => player.getTextTracks().map((t) => ({ language: t.language, role: t.roles[0] ?? "", label: t.label ?? "", embedded: t.mimeType === "application/cea-608" || t.codecs?.startsWith("CC") })),
    show: (index) => { player.selectTextTrack(player.getTextTracks()[index]); player.setTextTrackVisibility?.(true); },
  };
}

// hlsPlayer is for jobs that are encrypted for Clear Key: ?license= has the keys.
async function hlsPlayer(url) {
  const Hls = (await import("/ui/vendor/hls.mjs")).default;
  const player = new Hls({ emeEnabled: true, drmSystems: { "org.w3.clearkey": { licenseUrl: query.get("license") } } });
  player.on(Hls.Events.ERROR, (_, e) => { if (e.fatal) fail("hls.js", e.details, e.error?.message); });
  player.on(Hls.Events.MANIFEST_PARSED, () => video.play().catch((e) => fail("hls.js", e.name, e.message)));
  player.loadSource(url);
  player.attachMedia(video);
  return {
    levels: () => player.levels.map((l, id) => ({ id, width: l.width, height: l.height, bandwidth: l.bitrate })),
    current: () => player.currentLevel,
    choose: (id) => { player.nextLevel = id; },
    live: () => false,
    latency: () => NaN,
    ended: () => false,
  };
}

const kinds = { shaka: shakaPlayer, "hls.js": hlsPlayer };
const player = await (kinds[query.get("player")] ?? dashjsPlayer)(query.get("url"));
const ended = () => video.ended || player.ended();
const levels = () => [...player.levels()].sort((a, b) => a.bandwidth - b.bandwidth);

function status() {
  if (seen.errors.length) return "failed";
  if (ended()) return "ended";
  return seen.started && !video.paused ? "playing" : "loading";
}

window.gala = {
  choose: (index) => player.choose(levels()[index].id),
  texts: () => player.texts(),
  thumbnail: (at) => player.thumbnail(at),
  show: (index) => player.show(index),
  state: () => ({
    status: status(), live: Boolean(player.live()), level: levels().findIndex((l) => l.id === player.current()),
    levels: levels().map((l, index) => ({ index, name: String(l.id), width: l.width, height: l.height, bitrate: l.bandwidth })),
    currentTime: video.currentTime, duration: Number.isFinite(video.duration) ? video.duration : null,
    width: video.videoWidth, height: video.videoHeight, paused: video.paused, ended: ended(),
    latency: Number.isFinite(player.latency()) ? player.latency() : null,
    decoded: video.getVideoPlaybackQuality().totalVideoFrames, dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
    stalls: seen.stalls, errors: seen.errors,
  }),
};
