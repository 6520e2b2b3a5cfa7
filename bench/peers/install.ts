// Gets the peers: npm packages into bench/peers/node_modules, PyTorch from the Debian archive. Nothing of it becomes a
// dependency of the project. In: nothing. Out: what can be used, or the reason why not.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

export const peersFolder = "bench/peers";

/** Undefined when the packages are there. */
export function installPackages(): string | undefined {
  const { dependencies } = JSON.parse(readFileSync(`${peersFolder}/package.json`, "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const wanted = Object.keys(dependencies);
  if (wanted.every((name) => existsSync(`${peersFolder}/node_modules/${name}`))) return undefined;
  console.error(`installing ${wanted.join(", ")} into ${peersFolder}/node_modules ...`);
  const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"];
  const { status } = spawnSync("npm", args, { cwd: peersFolder, encoding: "utf8", timeout: 180_000 });
  return status === 0 ? undefined : "npm could not install the packages of bench/peers";
}

/** Debian's PyTorch takes its matrix products from whichever BLAS is there: with OpenBLAS they use all vector extensions. */
const debianPackages = ["python3-torch", "python3-numpy", "libopenblas0-openmp"];

/** A Python that has PyTorch, or the reason why there is none. */
export function findTorch(): { readonly python: string } | { readonly reason: string } {
  const pythons = ["python3", "/usr/bin/python3"];
  const found = (): string | undefined =>
    pythons.find((python) => spawnSync(python, ["-c", "import torch, numpy"]).status === 0);
  const before = found();
  if (before !== undefined) return { python: before };
  const apt = spawnSync("apt-get", ["--version"]).status === 0;
  if (!apt || process.getuid?.() !== 0)
    return {
      reason: `no Python here has PyTorch: install it (on Debian: apt-get install ${debianPackages.join(" ")})`,
    };
  console.error("installing PyTorch and OpenBLAS from the Debian archive ...");
  spawnSync("apt-get", ["update"], { timeout: 120_000 });
  spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...debianPackages], { timeout: 300_000 });
  const after = found();
  return after === undefined ? { reason: "apt-get could not install python3-torch" } : { python: after };
}
