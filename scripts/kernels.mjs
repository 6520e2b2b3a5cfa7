// What a change does to the kernels: npm run kernels -- write FOLDER, npm run kernels -- diff [FROM [TO]].
// FROM and TO are commits; without TO the working tree, without FROM the last commit.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runBundled } from "./run-bundled.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const cache = resolve("node_modules/.cache/kernels");
const [verb, ...rest] = process.argv.slice(2);

const git = (...args) => execFileSync("git", args, { encoding: "utf8" }).trim();

async function writeKernels(folder) {
  rmSync(folder, { recursive: true, force: true });
  const status = await runBundled("scripts/kernels.ts", [folder]);
  if (status !== 0) process.exit(status);
}

/** The kernels of a commit, from a checkout of it beside this one; kept, because a commit does not change. */
function kernelsOf(commit) {
  const hash = git("rev-parse", "--verify", `${commit}^{commit}`);
  const folder = join(cache, hash);
  if (existsSync(folder)) return folder;
  if (spawnSync("git", ["cat-file", "-e", `${hash}:scripts/kernels.mjs`]).status !== 0) {
    console.error(`${commit} is older than this script: it cannot write its kernels`);
    process.exit(2);
  }
  const tree = join(cache, `tree-${hash}`);
  rmSync(tree, { recursive: true, force: true });
  git("worktree", "prune");
  git("worktree", "add", "--detach", tree, hash);
  let status;
  try {
    symlinkSync(resolve("node_modules"), join(tree, "node_modules"));
    const line = ["scripts/kernels.mjs", "write", folder];
    ({ status } = spawnSync(process.execPath, line, { cwd: tree, stdio: "inherit" }));
  } finally {
    git("worktree", "remove", "--force", tree);
  }
  if (status !== 0) process.exit(status ?? 1);
  return folder;
}

if (verb === "write" && rest.length === 1) await writeKernels(resolve(rest[0]));
else if (verb === "diff" && rest.length <= 2) {
  mkdirSync(cache, { recursive: true });
  const from = kernelsOf(rest[0] ?? "HEAD");
  let to = join(cache, "working-tree");
  if (rest[1] === undefined) await writeKernels(to);
  else to = kernelsOf(rest[1]);
  const { status } = spawnSync("git", ["diff", "--no-index", "--stat", "--patch", from, to], {
    stdio: "inherit",
  });
  if (status === 0) console.log("no kernel changed");
} else {
  console.error("npm run kernels -- write FOLDER | diff [FROM [TO]]");
  process.exitCode = 2;
}
