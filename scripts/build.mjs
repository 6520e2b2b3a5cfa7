// Builds dist/: the command, the library, the runtime alone and the prettier plugin, with the chunks that they share, the
// licences of packages that went in, and a link to the command for `npx moe`; then the type declarations. `--no-types` leaves those out.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { bundle, entryPoints, licencesIn, loadedBy } from "./bundle.mjs";
import { stdlibSources } from "./stdlib.mjs";

writeFileSync("stdlib/sources.ts", stdlibSources());
rmSync("dist", { recursive: true, force: true });
const metafile = await bundle(Object.keys(entryPoints), "dist");
writeFileSync("dist/LICENSES.txt", licencesIn(metafile));

for (const file of ["dist/cli.js", "dist/language-server.js"]) {
  const command = readFileSync(file, "utf8");
  if (!command.startsWith("#!")) writeFileSync(file, `#!/usr/bin/env node\n${command}`);
  chmodSync(file, 0o755);
}
// `npx moe` in a clone: npm links the commands of dependencies, not a project's own, and would install a second copy.
if (existsSync("node_modules/.bin")) linkCommand("node_modules/.bin/moe");

function linkCommand(path) {
  rmSync(path, { force: true });
  if (process.platform !== "win32") return symlinkSync("../../dist/cli.js", path);
  writeFileSync(path, '#!/bin/sh\nexec node "$(dirname "$0")/../../dist/cli.js" "$@"\n');
  writeFileSync(`${path}.cmd`, '@node "%~dp0\\..\\..\\dist\\cli.js" %*\r\n');
}

const kilobytes = (files) => {
  const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
  return `${(bytes.length / 1000).toFixed(1)} kB, ${(gzipSync(bytes).length / 1000).toFixed(1)} kB gzipped`;
};
for (const name of ["cli", "index", "runtime"])
  console.log(`dist/${name}.js: ${kilobytes(loadedBy(metafile, `dist/${name}.js`))} at start`);

if (!process.argv.includes("--no-types"))
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
