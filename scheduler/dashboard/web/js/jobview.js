// One job: its player, its ladder with the quality levels to choose from, and
// everything the farm knows about it.

import { copyable, h } from "./dom.js";
import * as f from "./format.js";
import { rungs } from "./ladder.js";
import { containerName, masterOf } from "./model.js";
import { facts, pill, progress } from "./overview.js";
import { takers } from "./takers.js";

export function head(id, job, now) {
  return [h("div", { class: "job-head" },
    h("a", { class: "back", href: "/", "data-route": true }, "← All jobs"),
    h("div", { class: "title" }, h("h1", null, id), job ? pill(job) : null),
    job ? h("p", { class: "facts" }, facts(job, now)) : null,
    h("p", { class: "reason" }, job ? job.reason : "The farm does not list this job: it was never submitted, or it ended long ago. What is at the origin is played."),
    job?.kind === "vod" && job.renditions.length ? progress(job) : null)];
}

// ladder shows the farm's view of every rung where it has one, else what the
// player read from the master playlist.
export function ladder(job, player, now) {
  const levels = player.levels;
  const shown = job?.renditions.length ? job : fromLevels(levels, job);
  if (!shown.renditions.length) return [h("h2", null, "Ladder"), h("p", { class: "quiet" }, job?.ended ? "The job ended before its renditions were decided." : "The renditions are decided once the source was looked at.")];
  const pick = {
    current: player.level, auto: player.auto,
    levelOf: (r) => levels.find((l) => l.name === r.name)?.index ?? -1,
    pick: (level) => player.setLevel(level),
  };
  return [
    h("header", { class: "ladder-head" },
      h("h2", null, "Ladder"),
      levels.length ? h("button", { type: "button", class: "auto", "aria-pressed": String(player.auto), onclick: () => player.setLevel(-1) }, "Auto") : null,
      levels.length ? h("span", { class: "quiet keys" }, h("kbd", null, "+"), h("kbd", null, "−"), " level ", h("kbd", null, "A"), " auto") : null),
    rungs(shown, now, levels.length ? pick : null),
    unplayable(shown, levels),
    player.notice ? h("p", { class: "quiet" }, player.notice) : null,
  ];
}

function unplayable(job, levels) {
  if (levels.length === 0) return null;
  const names = job.renditions.filter((r) => r.kind === "video" && !levels.some((l) => l.name === r.name)).map((r) => r.name);
  if (names.length === 0) return null;
  return h("p", { class: "quiet" }, `Not offered by the player: ${names.join(", ")} (not in the master playlist yet, or a codec that this browser lacks).`);
}

const families = { avc1: "h264", avc3: "h264", hvc1: "hevc", hev1: "hevc", av01: "av1", mp4a: "aac" };

function fromLevels(levels, job) {
  const renditions = levels.map((l) => ({
    plain: true, name: l.name, kind: l.height ? "video" : "audio", width: l.width, height: l.height,
    codec: families[l.codecs.split(".")[0]] ?? l.codecs, target: l.bitrate, fps: l.fps, lastSegment: -1,
  }));
  renditions.sort((a, b) => b.height - a.height || b.target - a.target);
  return { ...(job ?? { kind: "vod", state: "done", ended: true }), renditions };
}

export function details(job, now) {
  return [
    job ? sourcePanel(job) : null,
    job?.replicas.length || job?.placements.length ? placements(job) : null,
    job?.events.length ? events(job, now) : null,
  ];
}

export function outputs(id, job, now) {
  if (job?.ended && job.state !== "done" && !job.renditions.some((r) => r.segments > 0)) {
    return [h("h2", null, "Outputs"), h("p", { class: "quiet" }, "Nothing was written.")];
  }
  const master = job ? masterOf(job) : `${location.origin}/origin/${encodeURIComponent(id)}/master.m3u8`;
  const known = job?.takers.some((t) => t.state || t.lost) ? takers(job, now) : null; // these name the others
  const others = known ? [] : (job?.outputs ?? []).filter((o) => !sameTree(o, master));
  return [
    h("h2", null, "Outputs"),
    h("dl", null,
      master ? [h("dt", null, "HLS"), h("dd", null, copyable(master, "HLS address")),
        h("dt", null, "DASH"), h("dd", null, copyable(manifestOf(master), "DASH address"))] : null,
      others.map((o) => [h("dt", null, "Destination"), h("dd", null, copyable(o, "destination"))])),
    known,
    h("p", { class: "quiet" }, copyable(`gala verify ${master ?? others[0] ?? ""}`, "verify command")),
  ];
}

// The manifest stands beside the master playlist.
const manifestOf = (master) => master.replace(/[^/]*$/, "manifest.mpd");

// The farm's own origin is named by the address that agents use; the page shows
// it by the reader's.
function sameTree(output, master) {
  return Boolean(master) && output.replace(/^https?:\/\/[^/]+/, "") === master.replace(/^https?:\/\/[^/]+/, "");
}

function sourcePanel(job) {
  const notes = [...(job.source?.notes ?? []), ...job.notes];
  return h("section", { class: "panel", "data-key": "source" },
    h("h2", null, "Source"),
    h("dl", null,
      h("dt", null, "Input"), h("dd", null, copyable(job.input, "input")),
      job.source?.container ? [h("dt", null, "Container"), h("dd", null, containerName(job.source.container))] : null,
      h("dt", null, "Ladder"), h("dd", null, job.ladder),
      job.grid ? [h("dt", null, "Grid"), h("dd", null, `${f.rate(job.grid.fps)} fps, segments of ${f.length(job.grid.segmentSeconds)}`)] : null),
    notes.length ? h("ul", { class: "notes" }, notes.map((n) => h("li", null, n))) : null);
}

function placements(job) {
  return h("section", { class: "panel", "data-key": "placements" },
    h("h2", null, "Placement"),
    job.replicas.length
      ? h("ul", { class: "plain replicas" }, job.replicas.map((r) => h("li", { "data-key": `r${r.number}` },
          h("strong", null, `Replica ${r.number}`), h("span", { class: "tag" }, r.state), r.where ? h("span", null, r.where) : null,
          r.epoch ? h("span", { class: "tag" }, `epoch ${r.epoch}`) : null, h("p", { class: "quiet" }, r.reason))))
      : h("ul", { class: "plain" }, job.placements.map((p) => h("li", { "data-key": p.assignment },
          h("strong", null, `${p.agent} / ${p.device}`), h("span", { class: "tag" }, `epoch ${p.epoch}`),
          h("p", { class: "quiet" }, p.reason)))),
    job.warm ? h("p", { class: "quiet" }, `${job.warm} holds the source too, for a successor.`) : null);
}

function events(job, now) {
  return h("section", { class: "panel", "data-key": "events" },
    h("h2", null, "What happened"),
    h("ol", { class: "events" }, job.events.slice(-40).reverse().map((e) => h("li", { "data-key": `${e.time}${e.kind}` },
      h("time", { title: new Date(e.time).toISOString() }, f.timeOfDay(e.time)),
      h("span", null, h("strong", null, e.kind.replaceAll("_", " ")), [e.cause, e.effect].filter(Boolean).map((t) => h("span", { class: "sentence" }, t)))))));
}

// overlay is what lies over the picture, or null when the picture speaks.
export function overlay(job, player, retry) {
  const detail = h("p", null, player.detail);
  switch (player.status) {
    case "waiting":
      return job?.ended ? endedEarly(job) : waiting(job, detail);
    case "loading":
      return h("div", { class: "say" }, h("span", { class: "spinner" }), h("p", null, "Loading the ladder"));
    case "stalled":
      return h("div", { class: "say brief" }, h("span", { class: "spinner" }), h("p", null, [player.cause?.words, player.detail].filter(Boolean).join(" ")));
    case "caught-up":
      return h("div", { class: "say brief" }, h("span", { class: "spinner" }), detail);
    case "failed":
      return h("div", { class: "say" }, h("h3", null, "Cannot play"), detail,
        h("button", { type: "button", onclick: retry }, "Try again"));
  }
  return null;
}

function waiting(job, detail) {
  return h("div", { class: "say" }, h("span", { class: "spinner" }),
    h("h3", null, job?.state === "waiting" ? "Waiting" : "Waiting for the first segments"),
    job ? h("p", null, job.reason) : null, detail);
}

function endedEarly(job) {
  const title = { failed: "The job failed", cancelled: "The job was cancelled", done: "Nothing to play" }[job.state];
  return h("div", { class: "say" }, h("h3", null, title),
    h("p", null, job.error?.message || job.reason), job.error?.advice ? h("p", null, job.error.advice) : null);
}
