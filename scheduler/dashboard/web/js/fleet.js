// The fleet: every agent, its devices, and what they carry.

import { bar, h } from "./dom.js";
import * as f from "./format.js";
import { gauges } from "./gauges.js";

export function fleet(agents, jobs, now) {
  return [h("section", { class: "agents" },
    h("h2", null, "Fleet", h("span", { class: "count" }, f.count(agents.length))),
    agents.length === 0
      ? h("p", { class: "panel empty" }, "No agent is attached: jobs wait until one is. Start one with ",
          h("code", null, "gala-agent --scheduler HOST:PORT --name NAME"), ".")
      : h("div", { class: "grid" }, agents.map((a) => card(a, jobs, now))))];
}

function card(agent, jobs, now) {
  const state = agent.connected ? "ok" : "bad";
  const beat = (now - agent.lastBeat) / 1000;
  return h("article", { class: "panel agent", "data-key": agent.name },
    h("header", null,
      h("h3", { class: `dot ${state}` }, agent.name),
      agent.cordon ? h("span", { class: "tag" }, agent.cordon) : null,
      h("span", { class: "quiet" }, agent.connected ? agent.version : `last heard ${f.span(beat)} ago`)),
    labels(agent.labels),
    agent.devices.map((d) => device(d, now)),
    h("p", { class: "quiet" }, carried(agent, jobs)));
}

function labels(map) {
  const entries = Object.entries(map);
  if (entries.length === 0) return null;
  return h("p", { class: "labels" }, entries.map(([k, v]) => h("span", { class: "tag" }, `${k}=${v}`)));
}

function device(d, now) {
  const state = d.load > 0.95 ? "bad" : d.load > 0.85 ? "late" : "ok";
  return h("div", { class: "device", "data-key": d.id, title: d.why },
    h("div", null, h("strong", null, d.model || d.id), h("span", { class: `tag ${d.role}` }, d.role),
      d.cordon ? h("span", { class: "tag" }, d.cordon) : null),
    h("div", { class: "rate" }, bar(d.load, state, `Load ${f.percent(d.load)}`), h("span", null, f.percent(d.load))),
    d.id !== "cpu" && d.encoders.length > 0
      ? h("p", { class: "quiet" }, d.encoders.join(", "), d.sessions ? ` · ${d.sessions}` : "") : null,
    d.role !== "encode" && d.why ? h("p", { class: "quiet" }, d.why) : null,
    d.figures ? gauges(d.figures, now) : null);
}

function carried(agent, jobs) {
  const names = jobs.filter((j) => !j.ended && j.placements.some((p) => p.agent === agent.name)).map((j) => j.id);
  if (names.length === 0) return "Carries nothing.";
  return ["Carries ", names.slice(0, 8).map((id, i) => [i ? ", " : "", h("a", { href: `/?job=${encodeURIComponent(id)}`, "data-route": true }, id)]),
    names.length > 8 ? ` and ${names.length - 8} more` : "", "."];
}
