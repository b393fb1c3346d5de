// Copies the console's libraries out of node_modules into the package, with their licences and a manifest of hashes.
// Run by `make assets`; what it writes is committed, so that nobody else needs Node.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const MODULES = new URL("node_modules/", import.meta.url);
const ROOT = new URL("../../", import.meta.url);
const STATIC = new URL("src/pratique/hub/static/", ROOT);

// Our name of a file: where its package has it, and how it is changed. Maps are not shipped, so none is named.
const withoutMap = (text) => text.replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n");
const asModule = (text) => `${text.trimEnd()}\nexport default uPlot;\n`;
const FILES = {
  "vendor/htmx.min.js": { package: "htmx.org", path: "dist/htmx.min.js", edit: withoutMap },
  "vendor/cytoscape.min.mjs": { package: "cytoscape", path: "dist/cytoscape.esm.min.mjs" },
  "vendor/uplot.min.mjs": { package: "uplot", path: "dist/uPlot.iife.min.js", edit: asModule },
  "vendor/uplot.min.css": { package: "uplot", path: "dist/uPlot.min.css" },
  "vendor/inter.woff2": { package: "@fontsource-variable/inter", path: "files/inter-latin-wght-normal.woff2" },
  "vendor/jetbrains-mono.woff2": {
    package: "@fontsource-variable/jetbrains-mono",
    path: "files/jetbrains-mono-latin-wght-normal.woff2",
  },
};

const read = (name, path) => readFileSync(new URL(`${name}/${path}`, MODULES));
const version = (name) => JSON.parse(read(name, "package.json")).version;

rmSync(new URL("vendor/", STATIC), { recursive: true, force: true });
mkdirSync(new URL("vendor/", STATIC), { recursive: true });
const manifest = {};
for (const [target, { package: name, path, edit }] of Object.entries(FILES)) {
  const original = read(name, path);
  const content = edit ? edit(original.toString()) : original;
  writeFileSync(new URL(target, STATIC), content);
  const integrity = `sha384-${createHash("sha384").update(content).digest("base64")}`;
  manifest[target] = { package: name, version: version(name), integrity };
}
writeFileSync(new URL("manifest.json", STATIC), `${JSON.stringify(manifest, null, 2)}\n`);

const packages = [...new Set(Object.values(FILES).map((file) => file.package))].sort();
const notices = packages.map((name) => `## ${name} ${version(name)}\n\n${read(name, "LICENSE").toString().trim()}\n`);
const opening = "# Third-party notices\n\nThe console ships these libraries and typefaces, each under its own licence.\n";
writeFileSync(new URL("THIRD_PARTY_NOTICES", ROOT), [opening, ...notices].join("\n"));
