// Waiting for a ladder to begin: the master playlist, and every playlist that it
// names, so that the player never asks for one that is not there yet. It tells
// whether the ladder is encrypted.

const pauses = [250, 500, 500, 1000, 1000, 1500, 2000];
// After this the player starts with the renditions that are there.
const patience = 8000;

export async function waitForLadder(url, signal, report) {
  let masterSince = 0;
  for (let attempt = 0; ; attempt++) {
    const found = await look(url, signal);
    if (found.master) masterSince ||= Date.now();
    if (found.ready || (masterSince && Date.now() - masterSince > patience)) return { encrypted: found.encrypted };
    report(found.words);
    await pause(pauses[Math.min(attempt, pauses.length - 1)], signal);
  }
}

async function look(url, signal) {
  const master = await read(url, signal);
  if (!master.text) return { words: master.words };
  const playlists = playlistsOf(master.text, url);
  const there = await Promise.all(playlists.map(async (u) => Boolean((await read(u, signal)).text?.includes("#EXTINF"))));
  const count = there.filter(Boolean).length;
  return {
    master: true, encrypted: master.text.includes("#EXT-X-SESSION-KEY:"), ready: count === there.length,
    words: `The master playlist is there; ${count} of ${there.length} renditions have begun.`,
  };
}

async function read(url, signal) {
  try {
    const answer = await fetch(url, { signal, cache: "no-store" });
    if (answer.status === 404) return { words: "There is no master playlist yet." };
    if (!answer.ok) return { words: `The origin answers ${answer.status}.` };
    const text = await answer.text();
    return text.startsWith("#EXTM3U") ? { text } : { words: "What the origin sends is not a playlist." };
  } catch (err) {
    signal.throwIfAborted();
    return { words: "The origin does not answer." };
  }
}

// playlistsOf lists the variants and alternative renditions; I-frame playlists
// are not needed to start.
export function playlistsOf(master, base) {
  const uris = [];
  for (const line of master.split(/\r?\n/)) {
    if (line && !line.startsWith("#")) uris.push(line);
    else if (line.startsWith("#EXT-X-MEDIA:")) uris.push(line.match(/URI="([^"]*)"/)?.[1]);
  }
  return [...new Set(uris.filter(Boolean))].map((u) => new URL(u, base).href);
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
