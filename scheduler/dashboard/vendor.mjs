// Copies the player out of node_modules into the folder that is embedded.
import { copyFileSync, mkdirSync } from "node:fs";

const from = "node_modules/hls.js";
const to = "web/vendor";

mkdirSync(to, { recursive: true });
copyFileSync(`${from}/dist/hls.min.mjs`, `${to}/hls.mjs`);
copyFileSync(`${from}/dist/hls.worker.js`, `${to}/hls.worker.js`);
copyFileSync(`${from}/LICENSE`, `${to}/LICENSE.hls.js`);
