// Bundles static/{css,js} into static/dist/ under names that carry their content's hash, and writes manifest.json: plain name -> hashed name.
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as esbuild from "esbuild";

const here = import.meta.dirname;
const root = join(here, "..");
const dist = join(here, "dist");

// Icons that pages use, by their Lucide names; one sprite, so that a page holds only `<use>`.
const ICONS = readFileSync(join(here, "img", "icons.txt"), "utf8").split(/\s+/).filter(Boolean);

function hashed(name, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 8).toUpperCase();
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}-${hash}${name.slice(dot)}`;
}

function sprite() {
  const symbols = ICONS.map((name) => {
    const svg = readFileSync(join(root, "node_modules/lucide-static/icons", `${name}.svg`), "utf8");
    const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>")).replace(/\s+/g, " ").trim();
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${inner}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
}

// A running console goes on with the files that it knows: yesterday's are swept away, today's stay. A package gets none of them.
mkdirSync(dist, { recursive: true });
for (const name of readdirSync(dist)) {
  const path = join(dist, name);
  if (process.argv.includes("--clean") || Date.now() - statSync(path).mtimeMs > 86_400_000) rmSync(path, { recursive: true, force: true });
}

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: ["chrome111", "firefox115", "safari16.4"],
  outdir: dist,
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
};
const bundles = await esbuild.build({
  entryPoints: { app: join(here, "js/app.js"), console: join(here, "css/console.css") },
  splitting: true,
  format: "esm",
  ...common,
});
// A classic script, as it must run before the first paint.
const early = await esbuild.build({ entryPoints: { theme: join(here, "js/theme.js") }, format: "iife", ...common });

const manifest = {};
for (const [path, output] of Object.entries({ ...bundles.metafile.outputs, ...early.metafile.outputs })) {
  if (!output.entryPoint) continue;
  manifest[basename(output.entryPoint)] = basename(path);
}

function add(name, content) {
  const target = hashed(name, content);
  writeFileSync(join(dist, target), content);
  manifest[name] = target;
}
add("icons.svg", sprite());
add("logo.svg", readFileSync(join(here, "img/logo.svg")));
// ELK lays the graph out in a worker of its own: 1.6 MB of Java turned script that must not hold the page up.
add("elk-worker.js", readFileSync(join(root, "node_modules/elkjs/lib/elk-worker.min.js")));

writeFileSync(join(dist, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
for (const name of readdirSync(dist)) {
  const path = join(dist, name);
  if (!/\.(js|css|svg)$/.test(name) || statSync(path).size < 1024 || existsSync(`${path}.br`)) continue;
  const content = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  writeFileSync(`${path}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }));
}
