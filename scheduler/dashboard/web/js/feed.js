// Feed holds what the farm says. The server sends everything at the start of a
// connection and then changes; a connection that is lost or silent is made
// anew, and its snapshot replaces what was known.

import { agentOf, jobOf } from "./model.js";

const silence = 15_000; // three missed beats
const backoff = [500, 1000, 2000, 4000];

export class Feed extends EventTarget {
  jobs = new Map();
  agents = [];
  status = "connecting"; // connecting, live, lost
  heardAt = 0;
  connections = 0;
  #source = null;
  #failures = 0;
  #timer = 0;
  #clockAhead = 0; // of this browser, against the farm

  constructor(url) {
    super();
    this.url = url;
    // A hidden page gives its connection back: a browser has six for a host,
    // and players in other tabs need them.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    setInterval(() => this.#watch(), 1000);
    this.#open();
  }

  // now is the farm's clock in milliseconds.
  now() {
    return Date.now() - this.#clockAhead;
  }

  #open() {
    if (this.#source || document.hidden) return;
    clearTimeout(this.#timer);
    const source = (this.#source = new EventSource(this.url));
    this.heardAt = Date.now();
    const on = (name, apply) => source.addEventListener(name, (e) => this.#receive(source, apply, e.data));
    on("snapshot", (data) => this.#snapshot(data));
    on("job", (data) => this.#job(data));
    on("agents", (data) => (this.agents = data.map(agentOf)));
    on("beat", (data) => this.#syncClock(data.now));
    source.onerror = () => this.#lost(source);
  }

  #receive(source, apply, text) {
    if (source !== this.#source) return;
    this.heardAt = Date.now();
    apply(JSON.parse(text));
    this.#failures = 0;
    this.status = "live";
    this.#changed();
  }

  #snapshot(data) {
    this.#syncClock(data.now);
    this.connections++;
    this.jobs = new Map(data.jobs.map(jobOf).map((j) => [j.id, j]));
    this.agents = data.agents.map(agentOf);
  }

  #job(message) {
    const job = jobOf(message);
    const known = this.jobs.get(job.id);
    if (!known || job.revision >= known.revision) this.jobs.set(job.id, job);
  }

  #syncClock(now) {
    if (now) this.#clockAhead = Date.now() - Date.parse(now);
  }

  #lost(source) {
    if (source !== this.#source) return;
    this.#close();
    this.status = "lost";
    const wait = backoff[Math.min(this.#failures++, backoff.length - 1)];
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#changed();
  }

  #watch() {
    if (this.#source && Date.now() - this.heardAt > silence) this.#lost(this.#source);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
