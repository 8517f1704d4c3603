// A view here is a function from state to elements. Views are drawn anew on
// every change and morphed into what is on the page, so that focus, selection
// and scroll positions stay.

const svgTags = new Set(["svg", "rect", "path", "line", "circle", "text", "g", "use", "polyline"]);

// h makes an element. Properties that start with "on" are handlers; null and
// false ones are left out.
export function h(tag, props, ...children) {
  const el = svgTags.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) el[name] = value;
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

// draw puts the children into a container that is already on the page.
export function draw(container, ...children) {
  const next = container.cloneNode(false);
  next.append(...children.flat(3).filter(Boolean));
  morphChildren(container, next);
}

function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  morphAttributes(from, to);
  from.onclick = to.onclick;
  morphChildren(from, to);
}

function morphAttributes(from, to) {
  for (const { name } of [...from.attributes]) {
    // Whether a disclosure is open is the reader's business.
    if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (name !== "open" && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

const keyOf = (node) => node.dataset?.key;

function morphChildren(from, to) {
  const keyed = new Map();
  for (const child of from.childNodes) {
    if (keyOf(child)) keyed.set(keyOf(child), child);
  }
  let at = from.firstChild;
  for (const want of [...to.childNodes]) {
    const match = keyOf(want) ? keyed.get(keyOf(want)) : at && !keyOf(at) ? at : null;
    if (!match) {
      from.insertBefore(want, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else from.insertBefore(match, at);
    morph(match, want);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// bar is a horizontal bar filled by a share of 0 to 1. It is drawn as SVG,
// because the page's policy allows no style attributes.
export function bar(share, className, label) {
  const width = `${(Math.min(1, Math.max(0, share || 0)) * 100).toFixed(1)}%`;
  return h("svg", { class: `bar ${className ?? ""}`, role: label ? "img" : null, "aria-label": label, "aria-hidden": label ? null : "true" },
    h("rect", { class: "bar-track", width: "100%", height: "100%" }),
    h("rect", { class: "bar-fill", width, height: "100%" }));
}

// copyable shows a text with a button that copies it.
export function copyable(text, label) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy ${label}`, onclick: (e) => copy(e.currentTarget, text) }, "Copy");
  return h("span", { class: "copyable" }, h("code", { title: text }, text), button);
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Clipboards are for secure contexts only; the text can still be selected.
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "Selected";
  }
}
