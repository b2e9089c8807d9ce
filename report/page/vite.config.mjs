// Bundles the page to one file, dist/report.html: scripts and styles inside, the notices of the libraries in it, and the
// checksum of what it was built from. tests/checks/page.sh computes the same checksum, so that a stale page is found
// without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

const root = dirname(fileURLToPath(import.meta.url)); // Debian's Node has no import.meta.dirname
const listed = ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.mjs"];
const libraries = ["uplot", "@dagrejs/dagre", "@dagrejs/graphlib"];

// What `sha256sum` prints for each file, in the order of the bytes of their names, and the checksum of that text.
function checksumOfSources() {
  const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  const sha256 = (data) => createHash("sha256").update(data).digest("hex");
  const lines = [...listed, ...sources].sort().map((name) => `${sha256(readFileSync(join(root, name)))}  ${name}\n`);
  return sha256(lines.join(""));
}

function notices() {
  const notice = (name) => `${name}\n\n${readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim()}`;
  return libraries.map(notice).join("\n\n\n");
}

const stamp = {
  name: "stamp",
  transformIndexHtml: (html) =>
    html.replace("{{sources}}", () => checksumOfSources()).replace("{{notices}}", () => notices().replaceAll("<", "(")),
};

const rename = {
  name: "rename",
  writeBundle: ({ dir }) => renameSync(join(dir, "index.html"), join(dir, "report.html")),
};

export default defineConfig({
  root,
  plugins: [stamp, viteSingleFile({ removeViteModuleLoader: true }), rename],
  build: { target: "es2022", reportCompressedSize: false, modulePreload: false },
});
