// The page: one feed of what the farm says, one player, and two views of them,
// the list of jobs (/) and one job (/?job=ID).

import { draw, h } from "./dom.js";
import { Feed } from "./feed.js";
import { fleet } from "./fleet.js";
import * as f from "./format.js";
import { health } from "./healthview.js";
import * as jobview from "./jobview.js";
import { masterOf } from "./model.js";
import { overview } from "./overview.js";
import { Player } from "./player.js";

const at = (id) => document.getElementById(id);
const feed = new Feed("/api/v1/events");
const player = new Player(at("video"));
let jobID = null;

const activeJobs = () => [...feed.jobs.values()].sort((a, b) => b.createdAt - a.createdAt || a.id.localeCompare(b.id));

function render() {
  const now = feed.now();
  renderFrame(now);
  if (jobID === null) renderOverview(now);
  else renderJob(now);
}

function renderFrame(now) {
  const jobs = activeJobs();
  const running = jobs.filter((j) => !j.ended);
  const agents = feed.agents.filter((a) => a.connected).length;
  const known = feed.connections > 0;
  draw(at("summary"), known ? [
    stat("on air", running.filter((j) => j.kind === "live").length),
    stat("on demand", running.filter((j) => j.kind === "vod").length),
    stat(agents === 1 ? "agent" : "agents", agents),
  ] : []);
  draw(at("link"), linkWords(now));
  const troubled = jobs.filter((j) => j.state === "degraded" || j.state === "waiting").length;
  document.title = jobID ?? (troubled ? `(${troubled}) Gala` : "Gala");
}

const stat = (label, n) => h("span", { class: "stat" }, h("strong", null, f.count(n)), ` ${label}`);

function linkWords() {
  switch (feed.status) {
    case "live": return h("span", { class: "dot ok" }, "connected");
    case "connecting": return h("span", { class: "dot idle" }, "connecting");
  }
  return h("span", { class: "dot bad" }, `connection lost; what is shown is ${f.span((Date.now() - feed.heardAt) / 1000)} old`);
}

function renderOverview(now) {
  if (feed.connections === 0) return;
  const jobs = activeJobs();
  draw(at("overview"), overview(jobs, now));
  draw(at("fleet"), fleet(feed.agents, jobs, now));
}

function renderJob(now) {
  const job = feed.jobs.get(jobID) ?? null;
  openWhenKnown(job);
  draw(at("job-head"), feed.connections || job ? jobview.head(jobID, job, now) : []);
  draw(at("ladder"), jobview.ladder(job, player, now));
  draw(at("health"), health(player, now));
  draw(at("outputs"), jobview.outputs(jobID, job, now));
  draw(at("job-details"), jobview.details(job, now));
  const over = jobview.overlay(job, player, () => start(job));
  at("overlay").hidden = !over;
  draw(at("overlay"), over ?? []);
}

// opened is what the player was opened as: a job that became known or went on
// air while the player still waited is opened anew.
let opened = "";
const isLive = (job) => job?.kind === "live" && !job.ended;

// openWhenKnown starts the player once the farm has said what the job is; a job
// that it does not list may still have a tree at the origin.
function openWhenKnown(job) {
  if (feed.connections === 0) return;
  const want = `${jobID} ${isLive(job)}`;
  if (opened === want || (opened && player.status !== "waiting")) return;
  opened = want;
  start(job);
}

function start(job) {
  const url = job ? masterOf(job) : `${location.origin}/origin/${encodeURIComponent(jobID)}/master.m3u8`;
  if (url) player.open(url, { live: isLive(job) });
}

function route() {
  const next = new URLSearchParams(location.search).get("job");
  if (next !== jobID) {
    player.close();
    opened = "";
  }
  jobID = next;
  at("overview").hidden = at("fleet").hidden = jobID !== null;
  at("job").hidden = jobID === null;
  render();
}

document.addEventListener("click", (e) => {
  const link = e.target.closest("a[data-route]");
  if (!link || e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey) return;
  e.preventDefault();
  history.pushState(null, "", link.href);
  route();
  at("content").focus({ preventScroll: true });
  scrollTo(0, 0);
});

document.addEventListener("keydown", (e) => {
  if (jobID === null || e.metaKey || e.ctrlKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.nodeName)) return;
  const step = { "+": 1, "=": 1, "-": -1, "−": -1 }[e.key];
  if (step) pickNeighbour(step);
  else if (e.key === "a" || e.key === "A") player.setLevel(-1);
  else if (e.key === "Escape" && !document.fullscreenElement) at("job-head").querySelector("a.back")?.click();
});

// hls.js orders levels by bit rate, lowest first.
function pickNeighbour(step) {
  const next = player.level + step;
  if (next >= 0 && next < player.levels.length) player.setLevel(next);
}

let drawn = 0;
// Changes come in bursts; one drawing a frame is enough for any of them.
function schedule() {
  if (!drawn) drawn = requestAnimationFrame(() => { drawn = 0; render(); });
}

feed.addEventListener("change", schedule);
player.addEventListener("change", schedule);
addEventListener("popstate", route);
setInterval(schedule, 1000);
route();

// For tests, and for curious people at the console.
window.gala = {
  state: () => ({ job: jobID, feed: { status: feed.status, connections: feed.connections, jobs: feed.jobs.size, agents: feed.agents.length }, ...player.state() }),
  setLevel: (index) => player.setLevel(index),
};
