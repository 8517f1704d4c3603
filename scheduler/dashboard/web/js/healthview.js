// How playback is going: figures under the picture, and the last two minutes of
// the buffer with the levels that were shown.

import { h } from "./dom.js";
import * as f from "./format.js";

export function health(player, now) {
  if (player.status === "idle" || player.status === "waiting") return [];
  return [
    h("dl", { class: "tiles" }, tiles(player, now).map(([label, value, note, tone]) =>
      h("div", { class: `tile ${tone ?? ""}`, "data-key": label }, h("dt", null, label), h("dd", null, value, note ? h("small", null, note) : null)))),
    chart(player),
    lastError(player),
  ];
}

function tiles(player, now) {
  const s = player.state();
  const level = s.levels[s.level];
  const stalled = s.stalls > 0;
  return [
    ["Level", level ? level.name : "–", level ? `${level.height ? `${level.width}×${level.height}, ` : ""}peaks of ${f.bits(level.bitrate)}, ${s.auto ? "auto" : "fixed"}` : null],
    ["Buffer", f.seconds(s.buffer), null, s.buffer < 0.5 && s.status === "stalled" ? "bad" : ""],
    position(player, s, now),
    ["Bandwidth", f.bits(player.bandwidth), "estimate"],
    ["Dropped", f.count(s.dropped), `of ${f.plural(s.decoded, "frame")}`, s.dropped > s.decoded / 100 ? "late" : ""],
    ["Stalls", f.count(s.stalls), s.edgeWaits ? `${f.plural(s.edgeWaits, "wait")} for the encoder` : null, stalled ? "bad" : ""],
  ];
}

function position(player, s, now) {
  if (!player.live) return ["Position", f.clock(s.currentTime), s.duration ? `of ${f.clock(s.duration)}` : null];
  // Against the wall clock where the playlist has dates, else against its edge.
  const date = player.playingDate;
  const behind = date ? (now - date.getTime()) / 1000 : s.latency;
  return ["Behind live", f.seconds(behind ?? NaN), date ? "on the source's clock" : "of the playlist's end"];
}

function lastError(player) {
  const last = player.cause;
  if (!last) return null;
  return h("p", { class: `last-error ${last.fatal ? "bad" : "late"}` },
    h("strong", null, last.words), ` ${f.span((Date.now() - last.time) / 1000)} ago`,
    player.errors.length > 1 ? `, ${f.plural(player.errors.length, "report")} in all` : "");
}

const wide = 600, high = 60, span = 120_000;

// chart draws the buffer as an area and the shown level as steps above it.
function chart(player) {
  const points = player.history;
  if (points.length < 2) return null;
  const end = points.at(-1).t;
  const top = Math.max(10, ...points.map((p) => p.buffer));
  const levels = Math.max(1, player.levels.length - 1);
  const x = (p) => (wide * (1 - (end - p.t) / span)).toFixed(1);
  const y = (p) => (high - (high - 4) * (p.buffer / top)).toFixed(1);
  const step = (p) => (high - 4 - (high - 10) * (Math.max(0, p.level) / levels)).toFixed(1);
  const area = `M${x(points[0])},${high} ${points.map((p) => `L${x(p)},${y(p)}`).join(" ")} L${x(points.at(-1))},${high} Z`;
  const steps = points.filter((p) => p.level >= 0).map((p, i) => (i ? `H${x(p)} V${step(p)}` : `M${x(p)},${step(p)}`)).join(" ");
  return h("figure", { class: "chart" },
    h("svg", { viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      h("path", { class: "area", d: area }), steps ? h("path", { class: "steps", d: steps }) : null),
    h("figcaption", null, h("span", { class: "key-area" }, `buffer, to ${Math.round(top)} s`), h("span", { class: "key-steps" }, "level shown"), h("span", null, "last 2 min")));
}
