// How each output of a job fares: one line for one of them, and for hundreds
// groups by state with the worst first, of which those that are well are closed.

import { copyable, h } from "./dom.js";
import * as f from "./format.js";

const states = [
  { state: "trouble", title: "in trouble", tone: "bad" },
  { state: "starting", title: "starting", tone: "late" },
  { state: "well", title: "well", tone: "ok" },
  { state: "", title: "not written at present", tone: "idle" },
];

// few outputs are shown as they are; of more, those that are well are folded.
const few = 4;

export function takers(job, now) {
  const groups = states.map((s) => ({ ...s, all: job.takers.filter((t) => t.state === s.state).sort(worse) })).filter((g) => g.all.length);
  if (job.takers.length <= few) return list(groups.flatMap((g) => g.all), now);
  return h("div", { class: "takers-box", "data-key": "takers" },
    h("p", { class: "taker-sum" }, groups.map((g) => h("span", { class: `dot ${g.tone}` }, `${f.count(g.all.length)} ${g.title}`))),
    groups.map((g) => h("details", { "data-key": `group-${g.state}`, open: g.state === "trouble" || g.state === "starting" },
      h("summary", null, f.plural(g.all.length, "output"), ` ${g.title}`, h("span", { class: "quiet" }, worst(g.all))),
      list(g.all, now))));
}

const worse = (a, b) => b.behind - a.behind || b.lost - a.lost || (a.since || Infinity) - (b.since || Infinity) || a.url.localeCompare(b.url);

function worst(all) {
  const behind = Math.max(...all.map((t) => t.behind));
  const lost = all.reduce((sum, t) => sum + t.lost, 0);
  return [behind > 1 ? `, up to ${f.plural(behind, "segment")} behind` : "", lost ? `, ${f.plural(lost, "segment")} lost` : ""].join("");
}

const list = (all, now) => h("ul", { class: "takers", "data-key": "list" }, all.map((t) => taker(t, now)));

function taker(t, now) {
  const { tone, title } = states.find((s) => s.state === t.state) ?? states.at(-1);
  const facts = [
    h("span", null, t.state === "trouble" && t.since ? `${title} for ${f.span((now - t.since) / 1000)}` : title),
    t.lastSegment >= 0 ? h("span", { title: "the newest segment that it has of every rendition" }, `segment ${t.lastSegment}`, t.lastSegmentAt ? `, ${f.seconds((now - t.lastSegmentAt) / 1000)} ago` : "") : null,
    t.behind > 0 ? h("span", { class: t.state === "trouble" ? "bad" : null }, `${f.count(t.behind)} behind`) : null,
    t.lost > 0 ? h("span", { class: "bad" }, `${f.count(t.lost)} lost`) : null,
    t.bytes > 0 ? h("span", { title: "brought there by the workers that are on it" }, f.bytes(t.bytes)) : null,
  ];
  return h("li", { class: `taker ${tone}`, "data-key": t.url },
    h("span", { class: `dot ${tone}`, role: "img", "aria-label": title }),
    h("div", null, copyable(t.url, "destination"), h("p", { class: "facts" }, facts),
      t.cause ? h("p", { class: "cause", title: t.cause }, t.cause) : null));
}
