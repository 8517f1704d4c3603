// Turns the farm's messages (protobuf in its JSON form: 64-bit integers as
// strings, enums as names) into what the views show.

const num = (v) => Number(v ?? 0);
const time = (v) => (v ? Date.parse(v) : 0);
const enumWord = (v, prefix) => (v ?? "").replace(prefix, "").toLowerCase();

export const ended = new Set(["done", "failed", "cancelled"]);

// What each state means to somebody who reads the page for the first time.
export const stateWords = {
  accepted: "Accepted: the farm will look at the source next.",
  waiting: "Waiting.",
  starting: "Starting: a worker opens the source and the encoders.",
  running: "Every rendition is being written.",
  degraded: "On air, but not as asked for.",
  finishing: "Finishing: the last segments are being written.",
  done: "Done: the whole ladder is written.",
  failed: "Failed.",
  cancelled: "Cancelled.",
};

export function jobOf(message) {
  const spec = message.spec ?? {};
  const grid = gridOf(message.grid);
  const state = enumWord(message.state, "JOB_STATE_") || "accepted";
  return {
    id: spec.id ?? "",
    kind: enumWord(spec.kind, "JOB_KIND_") || "live",
    input: spec.input ?? "",
    ladder: spec.ladder || "own ladder",
    destinations: spec.destinations ?? [],
    priority: num(spec.priority),
    state,
    ended: ended.has(state),
    reason: message.reason || stateWords[state] || "",
    revision: num(message.revision),
    createdAt: time(message.createdAt),
    updatedAt: time(message.updatedAt),
    endedAt: time(message.endedAt),
    source: sourceOf(message.source),
    grid,
    renditions: (message.renditions ?? []).map((r) => renditionOf(r, grid)).sort(byHeight),
    placements: (message.placements ?? []).map(placementOf),
    replicas: (message.replicas ?? []).map(replicaOf),
    warm: message.warm ?? "",
    outputs: message.outputs ?? [],
    takers: (message.outputStates ?? []).map(takerOf),
    error: message.error ?? null,
    events: (message.events ?? []).map((e) => ({ ...e, time: time(e.time) })),
    attempts: num(message.attempts),
    progress: num(message.progressPermille) / 1000,
    notes: message.notes ?? [],
  };
}

function gridOf(grid) {
  if (!grid?.fps) return null;
  const fps = num(grid.fps.num) / num(grid.fps.den);
  return { fps, segmentSeconds: (num(grid.framesPerGop) * num(grid.gopsPerSegment)) / fps };
}

function sourceOf(source) {
  if (!source) return null;
  const chosen = source.video?.[num(source.chosenVideo)];
  return {
    container: source.container ?? "",
    seconds: num(source.durationUs) / 1e6,
    video: chosen && {
      codec: chosen.codec, width: num(chosen.width), height: num(chosen.height),
      fps: num(chosen.fps?.num) / (num(chosen.fps?.den) || 1), interlaced: chosen.interlaced, bitDepth: num(chosen.bitDepth),
    },
    audio: (source.audio ?? []).map((a) => ({ codec: a.codec, channels: num(a.channels), language: a.language })),
    notes: source.notes ?? [],
  };
}

function renditionOf(status, grid) {
  const r = status.rendition ?? {};
  const v = r.video;
  const media = v ?? r.audio ?? {};
  return {
    name: r.name ?? "",
    kind: v ? "video" : r.text ? "text" : "audio",
    width: num(v?.width), height: num(v?.height),
    nominalFps: v && grid ? grid.fps / num(v.fpsDivisor || 1) : 0,
    channels: num(r.audio?.channels), language: (r.audio ?? r.text)?.language ?? "",
    codec: media.codec ?? "", encoder: media.encoder ?? "", preset: media.preset ?? "",
    codecs: r.codecs ?? "", target: num(media.bitrate),
    frames: num(status.frames), fps: num(status.fps), speed: num(status.speed), bitrate: num(status.bitrate),
    lastSegment: num(status.lastSegment ?? -1), lastSegmentAt: time(status.lastSegmentAt),
    segments: num(status.segments), late: num(status.lateSegments),
  };
}

const byHeight = (a, b) =>
  (b.kind === "video") - (a.kind === "video") || b.height - a.height || b.target - a.target || a.name.localeCompare(b.name);

const placementOf = (p) => ({ ...p, epoch: num(p.epoch) });

const replicaOf = (r) => ({
  number: num(r.number), state: enumWord(r.state, "JOB_STATE_") || "accepted", reason: r.reason ?? "",
  where: r.placement ? `${r.placement.agent} / ${r.placement.device}` : "", epoch: num(r.placement?.epoch),
});

// takerOf is how one output fares: trouble, starting, well, or "" where nothing is
// written at present.
const takerOf = (o) => ({
  url: o.url ?? "", state: enumWord(o.state, "OUTPUT_STATE_").replace("unspecified", ""),
  lastSegment: num(o.lastSegment ?? -1), lastSegmentAt: time(o.lastSegmentAt), behind: num(o.behind), lost: num(o.lost),
  bytes: num(o.bytes), since: time(o.troubleSince), cause: o.cause ?? "",
});

// cordonOf is "draining", "cordoned" or "".
const cordonOf = (c) => (c ? (c.drain ? "draining" : "cordoned") : "");

// sessionsOf is how many encoder sessions are placed on a GPU, in words; "" where
// nobody limits them.
function sessionsOf(d) {
  if (!d.maxSessions) return "";
  return d.sessionsShared
    ? `${num(d.sessions)} encode sessions; ${num(d.sessionsOfHost)} of ${d.maxSessions} on this host's consumer cards`
    : `${num(d.sessions)} of ${d.maxSessions} encode sessions`;
}

export function agentOf(message) {
  return {
    name: message.name ?? "",
    connected: Boolean(message.connected),
    lastBeat: time(message.lastBeat),
    version: message.version ?? "",
    labels: message.labels ?? {},
    cordon: cordonOf(message.cordon),
    assignments: message.assignments ?? [],
    devices: (message.devices ?? []).map((d) => ({
      id: d.id, model: d.model, role: d.role || "unknown", why: d.roleReason ?? "", load: num(d.loadPermille) / 1000,
      encoders: (d.encoders ?? []).map((e) => ((d.tenBitEncoders ?? []).includes(e) ? `${e} (8 and 10 bits)` : e)),
      sessions: sessionsOf(d),
      cordon: cordonOf(d.cordon), figures: d.figures ? figuresOf(d.figures, time(message.telemetryAt)) : null,
    })),
  };
}

// figuresOf is what a GPU's driver told; null stands for what it does not tell.
function figuresOf(f, told) {
  const figure = (v) => (v === undefined || v === null ? null : num(v));
  const xids = f.xids ?? [];
  return {
    state: enumWord(f.state, "DEVICE_STATE_") || "unspecified",
    trouble: f.trouble ?? "",
    at: told - num(f.ageMs),
    encoder: figure(f.encoderPercent), decoder: figure(f.decoderPercent), sm: figure(f.smPercent),
    memory: figure(f.memoryUsedBytes), memoryTotal: figure(f.memoryTotalBytes),
    power: figure(f.powerMw), powerLimit: figure(f.powerLimitMw), heat: figure(f.temperatureCelsius), clock: figure(f.smClockMhz),
    sessions: figure(f.encodeSessions), fps: figure(f.encodeFps), throttled: f.throttled ?? [],
    uncorrected: num(f.eccUncorrected),
    xid: xids.length ? { code: num(xids.at(-1).code), at: time(xids.at(-1).at), meaning: xids.at(-1).meaning ?? "" } : null,
  };
}

// health says how a rendition is doing: idle before its first segment, then ok
// or late by the age of the newest one. Only a live one has a pace to keep, and
// of one that the farm does not know (plain) nothing is said.
export function health(job, r, now) {
  if (r.plain) return "plain";
  if (job.ended) return job.state === "failed" ? "bad" : "rest";
  if (r.lastSegment < 0 || !r.lastSegmentAt) return "idle";
  if (job.kind !== "live") return "ok";
  const segment = job.grid?.segmentSeconds || 2;
  const age = (now - r.lastSegmentAt) / 1000;
  if (age < 2 * segment + 0.5) return "ok";
  return age < 5 * segment ? "late" : "bad";
}

// size names a rendition the way people do.
export function size(r) {
  if (r.kind === "video") return `${r.width}×${r.height}`;
  if (r.kind === "text") return `subtitles ${r.language}`;
  return { 1: "mono", 2: "stereo", 6: "5.1", 8: "7.1" }[r.channels] ?? `${r.channels} channels`;
}

const codecNames = { h264: "H.264", hevc: "HEVC", av1: "AV1", aac: "AAC", opus: "Opus", "ac-3": "AC-3", "ec-3": "E-AC-3", mpeg2video: "MPEG-2", vp8: "VP8", vp9: "VP9", rawvideo: "raw", testcard: "test card" };
export const codecName = (c) => codecNames[c] ?? (c ?? "").toUpperCase();

// Demuxers name every format that they read.
const containerNames = { "mov,mp4,m4a,3gp,3g2,mj2": "MP4 or MOV", "matroska,webm": "Matroska or WebM", mpegts: "MPEG-TS", testcard: "test card", flv: "FLV", aac: "ADTS" };
export const containerName = (c) => containerNames[c] ?? c;

// masterOf is where this page finds a job's master playlist, or null when a
// browser cannot reach it. A job that named no destination is at the farm's own
// origin, which is for the reader where the page came from.
export function masterOf(job) {
  if (job.destinations.length === 0) return `${location.origin}/origin/${encodeURIComponent(job.id)}/master.m3u8`;
  return job.outputs.find((o) => /^https?:/.test(o)) ?? null;
}
