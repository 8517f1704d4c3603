// How figures are written, in one place. Numbers are for reading across a
// table: few digits, a fixed unit, a real minus and multiplication sign.

const dash = "–";

export function bits(n) {
  if (!(n > 0)) return dash;
  if (n < 999_500) return `${Math.round(n / 1000)} kb/s`;
  return `${(n / 1e6).toFixed(n < 9.95e6 ? 2 : n < 99.5e6 ? 1 : 0)} Mb/s`;
}

export function bytes(n) {
  if (!(n > 0)) return dash;
  const unit = ["kB", "MB", "GB", "TB"].find((_, i) => n < 999.5 * 1000 ** (i + 1)) ?? "TB";
  const value = n / 1000 ** (["kB", "MB", "GB", "TB"].indexOf(unit) + 1);
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${unit}`;
}

export function rate(n) {
  if (!(n > 0)) return dash;
  return Number.isInteger(n) ? `${n}` : n.toFixed(2).replace(/0$/, "");
}

// length is that of a segment: 2.002 s is not 2 s.
export const length = (s) => (s > 0 ? `${Number(s.toFixed(3))} s` : dash);

export const fps = (n) => (n > 0 ? `${n.toFixed(1)} fps` : dash);
export const speed = (n) => (n > 0 ? `${n.toFixed(2)}×` : dash);
export const count = (n) => (n || 0).toLocaleString("en");
export const percent = (share) => `${Math.round(share * 100)} %`;

// seconds is for what passes while one looks.
export function seconds(s) {
  if (!Number.isFinite(s)) return dash;
  return s < 9.95 ? `${Math.max(0, s).toFixed(1)} s` : span(s);
}

// span is for what one remembers.
export function span(s) {
  if (!Number.isFinite(s)) return dash;
  if (s < 90) return `${Math.round(Math.max(0, s))} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

// clock is a media position.
export function clock(s) {
  if (!Number.isFinite(s) || s < 0) return dash;
  const whole = Math.floor(s);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${hours ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

export const timeOfDay = (ms) => (ms ? new Date(ms).toLocaleTimeString("en-GB") : dash);

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
