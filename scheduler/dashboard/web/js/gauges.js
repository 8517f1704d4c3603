// What a GPU's driver tells: four gauges and a line of facts, or why there are
// none. Figures that the driver does not tell are left out.

import { bar, h } from "./dom.js";
import * as f from "./format.js";

export function gauges(g, now) {
  if (g.state === "unspecified") return null;
  if (g.state !== "well") {
    return h("p", { class: "trouble" }, h("strong", null, g.state === "lost" ? "Lost" : "No figures"),
      ` – ${g.trouble || "the driver does not answer"}. Last read ${ago(g.at, now)}.`, xid(g, now));
  }
  const row = [
    gauge("Encoder", g.encoder / 100, known(g.encoder) && `${g.encoder} %`),
    gauge("Decoder", g.decoder / 100, known(g.decoder) && `${g.decoder} %`),
    gauge("SM", g.sm / 100, known(g.sm) && `${g.sm} %`),
    gauge("Memory", g.memory / g.memoryTotal, known(g.memory) && g.memoryTotal > 0 && `${gib(g.memory)} / ${Math.round(g.memoryTotal / 2 ** 30)} GiB`),
  ];
  return [h("dl", { class: "gauges" }, row), h("p", { class: "facts" }, facts(g, now).map((text) => h("span", null, text))), warnings(g, now)];
}

const known = (v) => v !== null;
const gib = (bytes) => (bytes / 2 ** 30).toFixed(1);
const ago = (at, now) => `${f.span((now - at) / 1000)} ago`;

function gauge(name, share, text) {
  if (!text) return null;
  const state = share > 0.95 ? "bad" : share > 0.85 ? "late" : "ok";
  return h("div", { class: "gauge", "data-key": name }, h("dt", null, name), h("dd", null, text), bar(share, state));
}

function facts(g, now) {
  const list = [];
  if (known(g.power)) list.push(known(g.powerLimit) ? `${Math.round(g.power / 1000)} of ${Math.round(g.powerLimit / 1000)} W` : `${Math.round(g.power / 1000)} W`);
  if (known(g.heat)) list.push(`${g.heat} °C`);
  if (known(g.clock)) list.push(`${g.clock} MHz`);
  if (g.sessions > 0) list.push(`${f.plural(g.sessions, "session")} at ${g.fps} fps`);
  // A second old is as new as it gets.
  if (now - g.at > 5000) list.push(`read ${ago(g.at, now)}`);
  return list;
}

function warnings(g, now) {
  const list = [];
  if (g.throttled.length) list.push(`Slowed by ${g.throttled.join(", ")}.`);
  if (g.uncorrected) list.push(`${f.plural(g.uncorrected, "memory error")} that could not be corrected.`);
  const last = xid(g, now);
  return list.length || last ? h("p", { class: "trouble" }, list.join(" "), last) : null;
}

function xid(g, now) {
  return g.xid ? ` XID ${g.xid.code} ${ago(g.xid.at, now)}${g.xid.meaning ? `: ${g.xid.meaning}` : ""}.` : null;
}
