// Copies the player out of node_modules into the folder that is embedded.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const from = "node_modules/hls.js";
const to = "web/vendor";

mkdirSync(to, { recursive: true });
for (const [source, target] of [["hls.min.mjs", "hls.mjs"], ["hls.worker.js", "hls.worker.js"]]) {
  // The source maps are not shipped, so nothing should ask for them.
  const text = readFileSync(`${from}/dist/${source}`, "utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
  writeFileSync(`${to}/${target}`, text);
}
copyFileSync(`${from}/LICENSE`, `${to}/LICENSE.hls.js`);
