// The list of jobs: what is on air, what is being encoded or waits, what ended.

import { bar, copyable, h } from "./dom.js";
import * as f from "./format.js";
import { rungs } from "./ladder.js";
import { codecName, ended } from "./model.js";

const shownEnded = 30;

export function overview(jobs, now) {
  if (jobs.length === 0) return [nothing()];
  const active = jobs.filter((j) => !ended.has(j.state));
  return [
    section("On air", "live", active.filter((j) => j.kind === "live"), (j) => card(j, now)),
    section("Video on demand", "vod", active.filter((j) => j.kind === "vod"), (j) => card(j, now)),
    endedSection(jobs.filter((j) => ended.has(j.state)), now),
  ];
}

function section(title, key, jobs, view) {
  if (jobs.length === 0) return null;
  return h("section", { "data-key": key, class: "jobs" },
    h("h2", null, title, h("span", { class: "count" }, f.count(jobs.length))), jobs.map(view));
}

function endedSection(jobs, now) {
  if (jobs.length === 0) return null;
  const newest = jobs.sort((a, b) => b.endedAt - a.endedAt).slice(0, shownEnded);
  return h("section", { "data-key": "ended", class: "jobs" },
    h("h2", null, "Ended"),
    h("div", { class: "panel list" }, newest.map((j) => line(j, now))),
    jobs.length > shownEnded ? h("p", { class: "quiet" }, `The newest ${shownEnded}; `, h("code", null, "gala live ls"), " and ", h("code", null, "gala vod ls"), " list all.") : null);
}

function card(job, now) {
  return h("article", { class: `panel card ${job.state}`, "data-key": job.id },
    h("header", null,
      h("div", { class: "title" },
        h("h3", null, h("a", { href: `/?job=${encodeURIComponent(job.id)}`, "data-route": true }, job.id)),
        pill(job)),
      h("p", { class: "facts" }, facts(job, now))),
    h("p", { class: "reason" }, job.reason),
    job.kind === "vod" && job.renditions.length ? progress(job) : null,
    job.renditions.length ? rungs(job, now) : null);
}

function line(job, now) {
  return h("a", { class: `line ${job.state}`, href: `/?job=${encodeURIComponent(job.id)}`, "data-route": true, "data-key": job.id },
    pill(job),
    h("strong", null, job.id),
    h("span", { class: "reason" }, job.error ? `${job.error.message} ${job.error.advice}` : job.reason),
    h("span", { class: "quiet" }, job.endedAt ? `${f.span((now - job.endedAt) / 1000)} ago` : ""));
}

export const pill = (job) => h("span", { class: `pill ${job.state}` }, job.state);

export function facts(job, now) {
  const list = [job.kind === "live" ? "Live" : "VOD", sourceWords(job), `${job.ladder}`];
  if (job.createdAt && !job.ended) list.push(`${job.kind === "live" ? "up" : "queued"} ${f.span((now - job.createdAt) / 1000)}`);
  if (job.attempts > 1) list.push(`attempt ${job.attempts}`);
  return list.filter(Boolean).map((text) => h("span", null, text));
}

function sourceWords(job) {
  const v = job.source?.video;
  const a = job.source?.audio?.[0];
  const words = [];
  if (v) words.push(`${v.width}×${v.height}${v.interlaced ? "i" : ""} ${f.rate(v.fps)} fps ${codecName(v.codec)}`);
  if (a && a.codec !== v?.codec) words.push(codecName(a.codec));
  return words.join(" + ");
}

export function progress(job) {
  const total = job.source?.seconds ?? 0;
  const fastest = Math.max(0, ...job.renditions.map((r) => r.speed));
  const left = fastest > 0 && total > 0 ? (total * (1 - job.progress)) / fastest : NaN;
  const words = [f.percent(job.progress)];
  if (total > 0) words.push(`${f.clock(total * job.progress)} of ${f.clock(total)}`);
  if (Number.isFinite(left) && !job.ended && left >= 1) words.push(`${f.span(left)} left`);
  return h("div", { class: "progress" }, bar(job.progress, job.ended ? "rest" : "ok", `Progress ${words[0]}`), h("span", null, words.join(" · ")));
}

function nothing() {
  return h("section", { class: "panel empty", "data-key": "nothing" },
    h("h2", null, "No jobs yet"),
    h("p", null, "Put the test card on air:"),
    h("p", null, copyable("gala live submit --id demo --input testcard: --ladder mini", "command")),
    h("p", null, "or queue a file:"),
    h("p", null, copyable("gala vod queue clip.mp4 --ladder mini", "command")));
}
