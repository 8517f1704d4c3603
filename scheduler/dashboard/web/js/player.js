// Player plays one ladder: it waits until there is something to play, hands it
// to hls.js, keeps count of what a viewer would notice, and says in words what
// went wrong. It draws nothing.

import { waitForLadder } from "./wait.js";
import { errorWords } from "./words.js";

const historySeconds = 120;
const sampleEvery = 500;
const networkBackoff = [1000, 2000, 4000, 8000];
const mediaRecoveries = 3;
const catchUpRate = 1.1; // few notice, and browsers keep the pitch

export class Player extends EventTarget {
  // idle, waiting, loading, playing, paused, stalled, caught-up, ended, failed
  status = "idle";
  detail = ""; // a sentence on the status
  notice = ""; // a sentence on what this player cannot do
  url = "";
  live = false;
  stalls = 0;
  edgeWaits = 0; // waits for the encoder, while a file is watched as it is encoded
  errors = [];
  switches = [];
  history = [];
  #hls = null;
  #Hls = null;
  #abort = null;
  #started = false;
  #follows = true; // stays at the live edge: the viewer has not paused or moved back
  #position = 0;
  #networkFailures = 0;
  #mediaFailures = 0;
  #timer = 0;

  constructor(video) {
    super();
    this.video = video;
    for (const name of ["waiting", "playing", "pause", "seeking", "ended", "error"]) {
      video.addEventListener(name, () => this.#onVideo(name));
    }
    setInterval(() => this.#sample(), sampleEvery);
  }

  // open plays the ladder behind a master playlist; live starts at its edge, a
  // file at its beginning, also while it is being encoded.
  async open(url, { live }) {
    this.close();
    Object.assign(this, { url, live, stalls: 0, edgeWaits: 0, notice: "", errors: [], switches: [], history: [] });
    this.#started = false;
    this.#follows = true;
    this.#position = 0;
    this.video.playbackRate = 1;
    this.#networkFailures = this.#mediaFailures = 0;
    const abort = (this.#abort = new AbortController());
    this.video.controls = false;
    this.#set("waiting", "");
    try {
      const { encrypted } = await waitForLadder(url, abort.signal, (words) => this.#set("waiting", words));
      if (encrypted) throw new Error("This job is encrypted, and this page has no keys. Play it in a player that has them.");
      await this.#load(abort.signal);
    } catch (err) {
      if (!abort.signal.aborted) this.#set("failed", err.message);
    }
  }

  close() {
    this.#abort?.abort();
    clearTimeout(this.#timer);
    this.#hls?.destroy();
    this.#hls = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.#set("idle", "");
  }

  get levels() {
    return (this.#hls?.levels ?? []).map((l, index) => ({
      index, name: folderOf(l.url[0]), width: l.width, height: l.height,
      bitrate: l.bitrate, fps: l.frameRate, codecs: [l.videoCodec, l.audioCodec].filter(Boolean).join(","),
    }));
  }

  get level() { return this.#hls?.currentLevel ?? -1; }
  get auto() { return this.#hls?.autoLevelEnabled ?? true; }

  // setLevel holds one level; -1 gives the choice back to the player. What is
  // in the buffer beyond the next segment is fetched again, so that the switch
  // is seen soon and nothing stops.
  setLevel(index) {
    if (this.#hls) this.#hls.nextLevel = index;
    this.#changed();
  }

  get buffer() {
    const { buffered, currentTime } = this.video;
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  get latency() { return this.live && this.#started ? (this.#hls?.latency ?? NaN) : NaN; }
  get bandwidth() { return this.#hls?.bandwidthEstimate ?? NaN; }
  get playingDate() { return this.#hls?.playingDate ?? null; }

  // cause is what explains a stall best: what failed to load a moment ago rather
  // than that the buffer is empty.
  get cause() {
    const recent = this.errors.filter((e) => Date.now() - e.time < 30_000);
    return recent.findLast((e) => e.type === "networkError") ?? this.errors.at(-1) ?? null;
  }

  // state is for tests and for whoever looks from the browser's console.
  state() {
    const { video } = this;
    const quality = video.getVideoPlaybackQuality?.();
    return {
      status: this.status, detail: this.detail, url: this.url, live: this.live,
      level: this.level, auto: this.auto, levels: this.levels,
      currentTime: video.currentTime, duration: Number.isFinite(video.duration) ? video.duration : null,
      width: video.videoWidth, height: video.videoHeight, paused: video.paused, ended: video.ended,
      buffer: this.buffer, latency: Number.isFinite(this.latency) ? this.latency : null,
      decoded: quality?.totalVideoFrames ?? 0, dropped: quality?.droppedVideoFrames ?? 0,
      stalls: this.stalls, edgeWaits: this.edgeWaits, errors: this.errors, switches: this.switches,
    };
  }

  async #load(signal) {
    this.#set("loading", "");
    this.#Hls ??= await loadLibrary();
    signal.throwIfAborted();
    if (!this.#Hls?.isSupported()) return this.#native();
    const { Events } = this.#Hls;
    const Timeline = this.#Hls.DefaultConfig.timelineController;
    const hls = (this.#hls = new this.#Hls({
      // hls.js 1.7 keeps the first captions back until it hears that pictures
      // were appended, and hears only of the sound where both end at once. What
      // is buffered is told with either.
      timelineController: class extends Timeline {
        onBufferAppended(event, data) {
          super.onBufferAppended(event, { ...data, type: "video" });
        }
      },
      workerPath: "/ui/vendor/hls.worker.js",
      startPosition: this.live ? -1 : 0,
      lowLatencyMode: false,
      backBufferLength: 30,
      // Two segments before the start: with one, its end comes as soon as the
      // next can be there.
      initialLiveManifestSize: this.live ? 2 : 1,
    }));
    hls.on(Events.ERROR, (_, data) => this.#onError(data));
    hls.on(Events.LEVEL_SWITCHED, (_, { level }) => this.#onSwitched(level));
    hls.on(Events.MANIFEST_PARSED, () => this.#play());
    hls.on(Events.FRAG_LOADED, () => (this.#networkFailures = 0));
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  #native() {
    if (!this.video.canPlayType("application/vnd.apple.mpegurl")) {
      throw new Error(this.#Hls
        ? "This browser cannot play HLS: it has no Media Source Extensions."
        : "This build of the page has no player. Run make build on the farm's machine, or open the master playlist in another player.");
    }
    this.notice = this.#Hls
      ? "The browser plays this by itself and chooses the level."
      : "This build of the page has no player, so the browser plays by itself and chooses the level; run make build on the farm's machine.";
    this.video.src = this.url;
    this.#play();
  }

  // A browser that refuses to start by itself leaves that to the controls.
  #play() {
    this.video.controls = true;
    this.video.play().catch(() => this.#set("paused", "Press play."));
  }

  #onVideo(name) {
    if (this.status === "idle" || this.status === "waiting") return;
    switch (name) {
      case "playing":
        this.#started = true;
        return this.#set("playing", "");
      case "seeking":
        if (this.#started && this.video.currentTime < this.#position - 1) this.#follows = false;
        return;
      case "pause":
        this.#follows = false;
        return this.video.ended ? null : this.#set("paused", "");
      case "ended":
        return this.#set("ended", "");
      case "waiting":
        return this.#onWaiting();
      case "error":
        return this.#note({ type: "video", details: "mediaElementError", fatal: true }, this.video.error?.message ?? "");
    }
  }

  #onWaiting() {
    if (!this.#started || this.video.seeking || this.video.paused) return;
    if (this.#atEncoder()) {
      this.edgeWaits++;
      this.#set("caught-up", "You have caught up with the encoder; the picture goes on with its next segment.");
      return;
    }
    this.stalls++;
    this.#set("stalled", "The buffer ran empty; playback goes on when more has arrived.");
  }

  // atEncoder: all that is listed of a growing file is in the buffer.
  #atEncoder() {
    const details = this.#hls?.latestLevelDetails;
    if (this.live || !details?.live) return false;
    return this.video.currentTime + this.buffer > details.edge - 0.5;
  }

  #onSwitched(level) {
    this.switches.push({ level, at: this.video.currentTime });
    this.#changed();
  }

  #onError(data) {
    // The player gave up a load itself, for a level that it has left.
    if (data.details === this.#Hls.ErrorDetails.INTERNAL_ABORTED) return;
    this.#note(data, "");
    if (!data.fatal) return;
    const { ErrorTypes } = this.#Hls;
    if (data.type === ErrorTypes.NETWORK_ERROR) return this.#retryNetwork();
    if (data.type === ErrorTypes.MEDIA_ERROR && this.#mediaFailures++ < mediaRecoveries) return this.#hls.recoverMediaError();
    this.#set("failed", errorWords(data));
    this.#hls.destroy();
    this.#hls = null;
  }

  #retryNetwork() {
    const wait = networkBackoff[Math.min(this.#networkFailures++, networkBackoff.length - 1)];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#hls?.levels?.length) this.#hls.startLoad();
      else this.#hls?.loadSource(this.url);
    }, wait);
  }

  #note(data, message) {
    this.errors.push({
      time: Date.now(), type: data.type, details: data.details, fatal: Boolean(data.fatal),
      words: errorWords(data), message: message || data.error?.message || "",
    });
    if (this.errors.length > 100) this.errors.shift();
    this.#changed();
  }

  #sample() {
    if (!this.#hls) return;
    this.#position = this.video.currentTime;
    this.#keepUp();
    this.history.push({ t: Date.now(), buffer: this.buffer, level: this.level });
    const old = Date.now() - historySeconds * 1000;
    while (this.history[0]?.t < old) this.history.shift();
    this.#changed();
  }

  // keepUp gains back, a little at a time, what a viewer lost on a busy machine
  // or in a stall. A speed that the viewer chose stays.
  #keepUp() {
    const { video } = this;
    if (!this.live || !this.#started || video.paused || ![1, catchUpRate].includes(video.playbackRate)) return;
    const behind = this.latency - (this.#hls.targetLatency ?? Infinity);
    if (behind < 1) this.#follows = true;
    const enough = video.playbackRate === 1 ? 2 : 0.5;
    video.playbackRate = this.#follows && behind > enough && this.buffer > 3 ? catchUpRate : 1;
  }

  #set(status, detail) {
    this.status = status;
    this.detail = detail;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

// loadLibrary is null where the page was built without its player.
async function loadLibrary() {
  try {
    return (await import("../vendor/hls.mjs")).default;
  } catch {
    return null;
  }
}

// folderOf is a rendition's name: the folder of its media playlist.
function folderOf(url) {
  return decodeURIComponent(new URL(url, location.href).pathname.split("/").at(-2) ?? "");
}
