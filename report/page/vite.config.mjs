// Bundles the page to one file, dist/report.html: scripts and styles inside, the notices of the libraries in it, and the
// checksum of what it was built from. tests/checks/page.sh computes the same checksum, so that a stale page is found
// without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

const root = import.meta.dirname;
const listed = ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.mjs"];
const libraries = ["uplot", "@dagrejs/dagre", "@dagrejs/graphlib"];

// What `sha256sum` prints for each file, in the order of the bytes of their names, and the checksum of that text.
function checksumOfSources() {
  const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  const sha256 = (data) => createHash("sha256").update(data).digest("hex");
  const lines = [...listed, ...sources].sort().map((name) => `${sha256(readFileSync(join(root, name)))}  ${name}\n`);
  return sha256(lines.join(""));
}

function notices() {
  const present = libraries.flatMap((name) => {
    for (const folder of [join(root, "node_modules", name)]) {
      try {
        return [`${name}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}`];
      } catch {
        return [];
      }
    }
  });
  return present.join("\n\n\n");
}

const stamp = {
  name: "stamp",
  transformIndexHtml: (html) =>
    html.replace("{{sources}}", () => checksumOfSources()).replace("{{notices}}", () => notices().replaceAll("<", "(")),
};

const rename = {
  name: "rename",
  closeBundle: () => renameSync(join(root, "dist/index.html"), join(root, "dist/report.html")),
};

export default defineConfig({
  root,
  plugins: [stamp, viteSingleFile({ removeViteModuleLoader: true }), rename],
  build: { target: "es2022", reportCompressedSize: false, modulePreload: false },
});
