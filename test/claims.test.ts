// The claims' machinery: statistics and verdicts, what makes a result stale, and that an interrupted run loses nothing. That the real
// claims are well-formed, and that their page is the one that their results make, without running any.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, describe, expect, test, vi } from "vitest";
import { armOf, type Claim, type Prediction } from "../claims/claim.ts";
import { prepareData, twoTasks } from "../claims/data.ts";
import { novelLines } from "../claims/data-lines.ts";
import { hostOf } from "../claims/compiling.ts";
import { claims } from "../claims/list.ts";
import { checkModule } from "../compiler/compile.ts";
import { agree, meaningOf, type Meaning } from "../claims/meaning.ts";
import { measureArm, type Measured } from "../claims/measure.ts";
import { jobsOf, modelsPath, readResults, standingOf, type Job, type Results } from "../claims/results.ts";
import { doJob, hashesOf, runClaims } from "../claims/run.ts";
import { overall, pairedEffect, verdictOf } from "../claims/statistics.ts";
import { withResults } from "../claims/page.ts";
import { claimsPage, effectText, weigh } from "../claims/table.ts";
import { trainArm } from "../claims/train.ts";
import { Workers } from "../claims/workers.ts";
import { tinyClaim, tinyModels, writeTinyClaim } from "./helpers/claims.ts";

const scratch = mkdtempSync(join(tmpdir(), "moe-claims-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folders = 0;
function freshFolder(models?: string, rows?: number): string {
  const folder = join(scratch, String(folders++));
  writeTinyClaim(folder, models, rows);
  return folder;
}

/** A helper as a script that Node runs. It lies where the packages are found. */
function bundled(name: string): string {
  const outfile = join("node_modules", ".cache", `${name}.mjs`);
  buildSync({
    entryPoints: [join(import.meta.dirname, "helpers", `${name}.ts`)],
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile,
  });
  return outfile;
}

describe("statistics", () => {
  test("a paired effect is the mean of differences; its interval is Student's", () => {
    const { mean, standardError, reach, arm, against } = pairedEffect([3, 5, 4], [1, 2, 3]);
    expect([mean, arm, against]).toEqual([2, 4, 2]);
    expect(standardError).toBeCloseTo(1 / Math.sqrt(3), 12);
    expect(reach).toBeCloseTo(4.303 / Math.sqrt(3), 12);
  });
  test("pairs are needed, two at least", () => {
    expect(() => pairedEffect([1], [2])).toThrow("internal");
    expect(() => pairedEffect([1, 2], [1, 2, 3])).toThrow("internal");
  });
  const effect = (mean: number, reach: number) => ({
    mean,
    reach,
    standardError: reach / 2,
    seeds: 3,
    arm: 100 + mean,
    against: 100,
  });
  test.each<[Prediction, number, number, string]>([
    [{ expect: "lower" }, -2, 1, "shows"],
    [{ expect: "lower" }, -2, 3, "does not show"],
    [{ expect: "lower" }, 2, 1, "opposite"],
    [{ expect: "higher" }, 2, 1, "shows"],
    [{ expect: "higher" }, -2, 1, "opposite"],
    [{ expect: "no higher", margin: 0.01 }, -5, 1, "shows"],
    [{ expect: "no higher", margin: 0.01 }, 0, 1, "shows"],
    [{ expect: "no higher", margin: 0.01 }, 0.5, 1, "does not show"],
    [{ expect: "no higher", margin: 0.01 }, 3, 1, "opposite"],
    [{ expect: "no lower", margin: 0.01 }, -0.5, 0.2, "shows"],
    [{ expect: "no lower", margin: 0.01 }, -3, 1, "opposite"],
    [{ expect: "equal", margin: 0.01 }, 0.5, 0.4, "shows"],
    [{ expect: "equal", margin: 0.01 }, 0.5, 0.6, "does not show"],
    [{ expect: "equal", margin: 0.01 }, -3, 1, "opposite"],
  ])("%o, %f ± %f: %s", (prediction, mean, reach, verdict) => {
    expect(verdictOf(prediction, effect(mean, reach))).toBe(verdict);
  });
  test.each([
    [-0.98633, 0.02141, "−0.986 ± 0.021"],
    [0.0003, 0.0449, "+0.000 ± 0.045"],
    [12.345, 3.21, "+12.3 ± 3.2"],
    [-1520, 130, "−1520 ± 130"],
    [-1, 0, "−1.0000 ± 0.0000"],
  ])("%f ± %f is written %s", (mean, reach, text) => {
    expect(effectText(effect(mean, reach))).toBe(text);
  });
  test("a claim shows when all of it does", () => {
    expect(overall(["shows", "shows"])).toBe("shows");
    expect(overall(["shows", "does not show"])).toBe("does not show");
    expect(overall(["shows", "does not show", "opposite"])).toBe("opposite");
  });
});

describe("meaning", () => {
  const hashOf = async (models: string, rows?: number, model = "One"): Promise<string> =>
    (await meaningOf(join(freshFolder(models, rows), "tiny", "models.moe"), model)).hash;
  test.each<[string, string, string]>([
    ["a comment", "model One {", "/// Only one.\nmodel One {"],
    [
      "the name of a binding",
      "z = Mixture(4, 1)(x)\n  logits = sum(z * out)",
      "y_ = Mixture(4, 1)(x)\n  logits = sum(y_ * out)",
    ],
    ["the other model", "Mixture(4, 2)", "Mixture(4, 3)"],
    [
      "gates of a metric",
      "logits = sum(z * out)",
      "metric best = Strongest { N = 4 }(x)\n  logits = sum(z * out)",
    ],
    ["an import that is not used", "{ Strongest, TopK }", "{ Strongest, Switch, TopK }"],
  ])("%s does not count", async (_what, from, to) => {
    expect(tinyModels).toContain(from);
    expect(await hashOf(tinyModels.replace(from, to))).toBe(await hashOf(tinyModels));
  });
  test.each<[string, string, string]>([
    ["a size", "Silu(D, 4)", "Silu(D, 5)"],
    ["a static of an entry of std", "TopK { k = k }", "TopK { k = k, balance = 0.1 }"],
    ["an initialiser", "param out: [4]", "param out: [4] = 1"],
    ["a rate", "rate = 1e-2", "rate = 2e-2"],
    ["the steps", "steps 12", "steps 13"],
    ["a column", '"a", "b"', '"b", "a"'],
  ])("%s counts", async (_what, from, to) => {
    expect(tinyModels).toContain(from);
    expect(await hashOf(tinyModels.replace(from, to))).not.toBe(await hashOf(tinyModels));
  });
  test("what is simplified away does not count, though it is written", async () => {
    const marks = async (models: string): Promise<Meaning> =>
      meaningOf(join(freshFolder(models), "tiny", "models.moe"), "One");
    const [plain, longer] = [
      await marks(tinyModels),
      await marks(tinyModels.replace("sum(z * out)", "sum(z * out * exp(0))")),
    ];
    expect(longer.hash).not.toBe(plain.hash);
    expect(longer.simple).toBe(plain.simple);
    expect(agree(longer, plain)).toBe(true);
    const other = await marks(tinyModels.replace("sum(z * out)", "sum(z * out * exp(1))"));
    expect(agree(other, plain)).toBe(false);
    // A result of before there were two marks.
    expect(agree({ hash: plain.hash }, plain)).toBe(true);
    expect(agree({ hash: longer.hash }, plain)).toBe(false);
  });
  test("the data count", async () => {
    expect(await hashOf(tinyModels, 41)).not.toBe(await hashOf(tinyModels, 40));
  });
  test("another model's weights count", async () => {
    const file = join(freshFolder(), "tiny", "models.moe");
    expect((await meaningOf(file, "One", "Two")).hash).not.toBe((await meaningOf(file, "One")).hash);
  });

  test("a run that notices when results change: then raise `machinery` in claims/meaning.ts, and mend this", async () => {
    const file = join(freshFolder(), "tiny", "models.moe");
    const trained = await trainArm(file, "Two", 7);
    const { metrics, calls, arithmetic, steps } = await measureArm(file, "Two", 7, trained);
    // To four digits: other kernels may round differently.
    expect([metrics["error"], metrics["balance"]].map((value) => value!.toPrecision(4)))
      .toMatchInlineSnapshot(`
      [
        "0.1229",
        "0.01007",
      ]
    `);
    expect({ calls, arithmetic, steps }).toEqual({ calls: 2, arithmetic: 4 * 3 + 2 * 2 * 16, steps: 12 });
  });
});

describe("running", () => {
  const inProcess = (folder: string, done: Job[] = []) => ({
    folder,
    jobs: 1,
    execute: (job: Job) => {
      done.push(job);
      return doJob(folder, tinyClaim, job);
    },
    say: () => undefined,
  });
  const untimed = (results: Results): unknown =>
    JSON.parse(JSON.stringify(results, (key, value: unknown) => (key === "seconds" ? 0 : value)));

  test("runs each arm and seed once, and a change only again what it touches", async () => {
    const folder = freshFolder();
    const first: Job[] = [];
    expect(await runClaims([tinyClaim], inProcess(folder, first))).toBe(0);
    expect(first.map(({ trained, seed, measured }) => `${trained} ${seed}: ${measured.join(", ")}`)).toEqual(
      [1, 2, 3].flatMap((seed) => [`one ${seed}: one`, `two ${seed}: two, two as one`]),
    );
    const again: Job[] = [];
    await runClaims([tinyClaim], inProcess(folder, again));
    expect(again).toEqual([]);

    const results = readResults(folder, tinyClaim);
    const weighed = weigh(tinyClaim, results, await hashesOf(folder, tinyClaim));
    expect(weighed.standing).toBe("current");
    expect(weighed.comparisons[0]).toMatchObject({ effect: { mean: 1, reach: 0 }, verdict: "shows" });
    // Weights of another arm: the same tensors under another model give another number.
    expect(results["two as one"]!["1"]!.metrics["error"]).not.toBe(results["two"]!["1"]!.metrics["error"]);
    expect(results["two as one"]!["1"]!.calls).toBe(1);

    // Written otherwise, it means the same: nothing is run, and the marks are those of what is written now.
    writeTinyClaim(folder, tinyModels.replaceAll("sum(z * out)", "sum(z * out * exp(0))"));
    const rewritten = await hashesOf(folder, tinyClaim);
    expect(standingOf(tinyClaim, results, rewritten)).toBe("current");
    await runClaims([tinyClaim], inProcess(folder, again));
    expect(again).toEqual([]);
    expect(readResults(folder, tinyClaim)["one"]!["1"]).toEqual({
      ...results["one"]!["1"],
      ...rewritten["one"],
    });

    writeTinyClaim(folder, tinyModels.replace("Mixture(4, 1)", "Mixture(4, 3)"));
    const changed = await hashesOf(folder, tinyClaim);
    expect(standingOf(tinyClaim, results, changed)).toBe("stale");
    expect(claimsPage([weigh(tinyClaim, results, changed)])).toContain("(stale)");
    const jobs = jobsOf(tinyClaim, results, changed);
    expect(jobs.map(({ measured }) => measured.join())).toEqual(
      [1, 2, 3].flatMap(() => ["one", "two as one"]),
    );
  });

  test("what another claim has measured already is taken from there", async () => {
    const folder = freshFolder();
    await runClaims([tinyClaim], inProcess(folder));
    cpSync(join(folder, "tiny", "models.moe"), join(folder, "again", "models.moe"));
    const again = { ...tinyClaim, name: "again", seeds: [2, 3, 4] };
    const done: Job[] = [];
    await runClaims([again], inProcess(folder, done));
    expect(done.map(({ trained, seed }) => `${trained} ${seed}`)).toEqual(["one 4", "two 4"]);
    const [first, second] = [readResults(folder, tinyClaim), readResults(folder, again)];
    expect(second["two as one"]!["3"]).toEqual(first["two as one"]!["3"]);
    expect(standingOf(again, second, await hashesOf(folder, again))).toBe("current");
  });

  test("a job that fails is told, and the others are kept", async () => {
    const folder = freshFolder();
    const said: string[] = [];
    const failed = await runClaims([tinyClaim], {
      ...inProcess(folder),
      execute: (job) => {
        if (job.seed === 2) return Promise.reject(new Error("the machine is on fire"));
        return doJob(folder, tinyClaim, job);
      },
      say: (line) => said.push(line),
    });
    expect(failed).toBe(2);
    expect(said.filter((line) => line.includes("the machine is on fire"))).toHaveLength(2);
    expect(Object.keys(readResults(folder, tinyClaim)["one"]!)).toEqual(["1", "3"]);
  });

  test("arms that train on other data are no comparison", async () => {
    const folder = freshFolder(tinyModels.replace("batch 8", "batch 4"));
    await expect(hashesOf(folder, tinyClaim)).rejects.toThrow("differ in their data, batch or steps");
  });

  test("workers do the same as this process; one that dies is told, and another takes its place", async () => {
    const folder = freshFolder();
    vi.stubEnv("MOE_CLAIMS", folder);
    const workers = new Workers(bundled("claims-worker"));
    const job: Job = { claim: "tiny", trained: "one", seed: 1, measured: ["one"] };
    const plain = ({ one }: Record<string, Measured>): unknown => ({ ...one, seconds: 0 });
    try {
      const wanted = plain(await doJob(folder, tinyClaim, job));
      expect(plain(await workers.execute(job))).toEqual(wanted);
      await expect(workers.execute({ ...job, seed: 13 })).rejects.toThrow("the process ended (3)");
      await expect(workers.execute({ ...job, trained: "three" })).rejects.toThrow("no arm three");
      expect(plain(await workers.execute(job))).toEqual(wanted);
    } finally {
      workers.close();
      vi.unstubAllEnvs();
    }
  });

  test("killed in the middle, a run goes on where it was and ends with the same numbers", async () => {
    const whole = freshFolder();
    await runClaims([tinyClaim], inProcess(whole));
    const folder = freshFolder();
    const child = spawn(process.execPath, [bundled("claims-child"), folder]);
    await new Promise<void>((resolve) => {
      const watch = setInterval(() => {
        if (existsSync(join(folder, "tiny", "results.json"))) child.kill("SIGKILL");
      }, 2);
      child.once("close", () => {
        clearInterval(watch);
        resolve();
      });
    });
    expect(child.signalCode).toBe("SIGKILL");
    const before = readResults(folder, tinyClaim);
    const kept = Object.values(before).flatMap((runs) => Object.keys(runs)).length;
    expect(kept).toBeGreaterThan(0);
    const rest: Job[] = [];
    await runClaims([tinyClaim], inProcess(folder, rest));
    expect(rest.flatMap(({ measured }) => measured)).toHaveLength(9 - kept);
    expect(untimed(readResults(folder, tinyClaim))).toEqual(untimed(readResults(whole, tinyClaim)));
  });
});

describe("the claims", () => {
  /** What the arms of a claim mean now: each is compiled once for all tests. */
  const hashes = new Map<string, ReturnType<typeof hashesOf>>();
  const hashesNow = (claim: Claim): ReturnType<typeof hashesOf> => {
    const known = hashes.get(claim.name) ?? hashesOf("claims", claim);
    hashes.set(claim.name, known);
    return known;
  };

  test("are well-formed: three seeds at least, arms that are there, entries of std", () => {
    for (const claim of claims) {
      expect(new Set(claim.seeds).size, claim.name).toBeGreaterThanOrEqual(3);
      for (const { arm, against } of claim.comparisons)
        expect([armOf(claim, arm), armOf(claim, against)]).toHaveLength(2);
      for (const { weights } of claim.arms)
        if (weights !== undefined) expect(armOf(claim, weights).weights).toBeUndefined();
    }
    expect(new Set(claims.map(({ name }) => name)).size).toBe(claims.length);
  });

  test.each(claims.map((claim) => [claim.name, claim] as const))(
    "%s: models are well, and arms mean different things on the same data and steps",
    async (_name, claim) => {
      prepareData("claims");
      expect(checkModule(hostOf(), modelsPath("claims", claim)).map(({ message }) => message)).toEqual([]);
      const meanings = await hashesNow(claim);
      expect(new Set(Object.values(meanings)).size).toBe(claim.arms.length);
    },
  );

  test("the page is what the results make: else `npm run claims -- --no-run --write`", async () => {
    prepareData("claims");
    const weighed = [];
    for (const claim of claims)
      weighed.push(weigh(claim, readResults("claims", claim), await hashesNow(claim)));
    const page = readFileSync("docs/claims.md", "utf8");
    expect(page).toBe(await withResults(page, weighed));
  });

  test("lines of the novel are of one length, from all of it", () => {
    expect(novelLines(3, 24)).toMatchInlineSnapshot(`
      "{"line":"ETYMOLOGY. (Supplied by "}
      {"line":"rom the mint. He was int"}
      {"line":" strength of the masonry"}
      "
    `);
  });

  test("made data are the same in every run", () => {
    expect(twoTasks(3, 4, 0.5)).toBe(twoTasks(3, 4, 0.5));
    expect(twoTasks(3, 4, 0.5)).toMatchInlineSnapshot(`
      "x0,x1,x2,x3,first,second
      1.1919,-0.2402,0.0922,-1.1235,-1.6262,-0.5804
      -0.3564,2.2763,-1.0560,-0.9324,1.6336,2.3116
      0.4213,0.8996,-0.9807,-0.1393,1.3471,0.4732
      "
    `);
  });
});
