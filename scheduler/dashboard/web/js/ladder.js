// The picture of a ladder: one row a rung, the bar as wide as its share of the
// top bit rate, coloured by how it is doing.

import { bar, h } from "./dom.js";
import * as f from "./format.js";
import { codecName, health, size } from "./model.js";

const healthWords = {
  ok: "on time", late: "late", bad: "stopped", idle: "no segment yet", rest: "ended",
};

// rungs draws the table. player, when given, makes each rung of the picture a
// button: {levelOf(rendition), current, auto, pick(level)}.
export function rungs(job, now, player) {
  const top = Math.max(1, ...job.renditions.map((r) => r.bitrate || r.target));
  return h("div", { class: "rungs-box" }, h("table", { class: player ? "rungs pick" : "rungs" },
    h("thead", null, h("tr", null,
      h("th", { scope: "col" }, "Rendition"),
      h("th", { scope: "col", class: "wide" }, "Bit rate"),
      h("th", { scope: "col" }, "Frames"),
      h("th", { scope: "col" }, "Rate"),
      h("th", { scope: "col" }, "Speed"),
      h("th", { scope: "col" }, "Segment"),
      h("th", { scope: "col" }, "Age"))),
    h("tbody", null, job.renditions.map((r) => rung(job, r, top, now, player)))));
}

function rung(job, r, top, now, player) {
  const state = health(job, r, now);
  const level = player?.levelOf(r) ?? -1;
  const current = level >= 0 && player.current === level;
  return h("tr", { "data-key": r.name, class: `rung ${state} ${current ? "current" : ""}` },
    h("th", { scope: "row" }, name(r, level, player, current)),
    h("td", { class: "wide" }, h("span", { class: "rate" },
      bar((r.bitrate || r.target) / top, state), h("span", null, f.bits(r.bitrate || r.target)))),
    cell("Frames", r.frames ? f.count(r.frames) : "–"),
    cell("Rate", r.kind === "video" ? f.fps(r.fps) : "–"),
    cell("Speed", f.speed(r.speed)),
    cell("Segment", r.lastSegment >= 0 ? `#${r.lastSegment}` : "–", r.late ? `${f.plural(r.late, "segment")} late` : null),
    cell("Age", age(r, state, now), healthWords[state]));
}

const cell = (label, text, title) => h("td", { "data-label": label, title, class: text === "–" ? "none" : null }, text);

function name(r, level, player, current) {
  const label = [current ? h("span", { class: "now" }, "▶", h("span", { class: "unseen" }, "playing")) : null, h("strong", null, r.name), h("small", null, `${size(r)} ${codecName(r.codec)}`)];
  if (level < 0) return h("span", { class: "name" }, label);
  return h("button", {
    type: "button", class: "name", "aria-pressed": String(!player.auto && current),
    title: `Play ${r.name}`, onclick: () => player.pick(level),
  }, label);
}

function age(r, state, now) {
  if (state === "plain") return "–";
  if (state === "rest" || !r.lastSegmentAt) return h("span", { class: "dot rest" }, healthWords[state]);
  return h("span", { class: `dot ${state}` }, f.seconds((now - r.lastSegmentAt) / 1000));
}
