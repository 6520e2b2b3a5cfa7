// Claims at equal arithmetic: what a training takes, arms whose steps differ, and what is refused.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Claim } from "../claims/claim.ts";
import { jobsOf, readResults, standingOf, type Results } from "../claims/results.ts";
import { doJob, hashesOf, runClaims } from "../claims/run.ts";
import { claimsPage, weigh } from "../claims/table.ts";
import { trainArm } from "../claims/train.ts";
import { tinyClaim, tinyModels, writeTinyClaim } from "./helpers/claims.ts";

const scratch = mkdtempSync(join(tmpdir(), "moe-claims-arithmetic-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folders = 0;
function freshFolder(models: string): string {
  const folder = join(scratch, String(folders++));
  writeTinyClaim(folder, models);
  return folder;
}

/** Multiply-adds of a row with k experts: the router's 4 x 3, and for each expert 4 x 4 in and out. */
const ofRow = (k: number): number => 4 * 3 + k * 2 * 16;
const rows = 8;

const alike: Claim = { ...tinyClaim, arms: tinyClaim.arms.slice(0, 2) };
const equal: Claim = { ...alike, at: "equal arithmetic" };
/** 76 and 44 multiply-adds for a row: 11 steps with two experts take as many as 19 with one. */
const equalModels = tinyModels
  .replace("steps 12", "steps 19")
  .replace("steps 12", "steps 11")
  .replaceAll("evaluate every 12", "evaluate every 19");

describe("what a training takes", () => {
  test("is counted with the picks that it made", async () => {
    const file = join(freshFolder(tinyModels), "tiny", "models.moe");
    expect((await trainArm(file, "One", 1)).spent).toBe(12 * rows * ofRow(1));
    expect((await trainArm(file, "Two", 1)).spent).toBe(12 * rows * ofRow(2));
  });
  test("is that of all phases, each with its own model", async () => {
    const phases = `phase dense {
    model Two { k = 3 }
    steps 5
  }

  phase sparse {
    steps 7
  }`;
    const models = tinyModels
      .replace("model Two {", "model Two(k = 2) {")
      .replace("Mixture(4, 2)", "Mixture(4, k)")
      .replace(/steps 12(?![^]*steps 12)/, phases);
    const { spent, steps } = await trainArm(join(freshFolder(models), "tiny", "models.moe"), "Two", 1);
    expect({ spent, steps }).toEqual({ spent: rows * (5 * ofRow(3) + 7 * ofRow(2)), steps: 12 });
  });
});

describe("a claim at equal arithmetic", () => {
  const run = async (folder: string, claim: Claim): Promise<number> =>
    runClaims([claim], {
      folder,
      jobs: 1,
      execute: (job) => doJob(folder, claim, job),
      say: () => undefined,
    });

  test("has arms of unlike steps, and tells what they took", async () => {
    const folder = freshFolder(equalModels);
    await expect(hashesOf(folder, alike)).rejects.toThrow("differ in their data, batch or steps");
    expect(await run(folder, equal)).toBe(0);
    const weighed = weigh(equal, readResults(folder, equal), await hashesOf(folder, equal));
    expect(weighed.standing).toBe("current");
    const page = claimsPage([weighed]);
    expect(page).toContain("multiply-adds of training");
    expect(page).toContain("for the same arithmetic, not for the same steps");
  });
  test("trains on the same data in the same batches", async () => {
    const folder = freshFolder(equalModels.replace("batch 8", "batch 4"));
    await expect(hashesOf(folder, equal)).rejects.toThrow("differ in their data or batch");
  });
  test("is refused when an arm took more", async () => {
    const folder = freshFolder(tinyModels);
    await run(folder, equal);
    const hashes = await hashesOf(folder, equal);
    expect(() => weigh(equal, readResults(folder, equal), hashes)).toThrow(
      `two of tiny took ${(ofRow(2) / ofRow(1)).toFixed(3)} times the arithmetic of the least`,
    );
  });
  test("needs runs that know what training took: others are run again", async () => {
    const folder = freshFolder(equalModels);
    await run(folder, equal);
    const hashes = await hashesOf(folder, equal);
    const known = readResults(folder, equal);
    const old = JSON.parse(JSON.stringify(known), (key, value: unknown) =>
      key === "spent" ? undefined : value,
    ) as Results;
    expect(jobsOf(equal, known, hashes)).toEqual([]);
    expect(jobsOf(equal, old, hashes)).toHaveLength(6);
    expect(standingOf(equal, old, hashes)).toBe("incomplete");
    expect(jobsOf(alike, old, hashes)).toEqual([]);
  });
});
