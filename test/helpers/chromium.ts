// Launches of kernels in Chromium: a browser with a page that takes them. In: texts, kernels, their memory. Out: the memory, changed in place.

import type { Kernel } from "../../compiler/kernel.ts";
import type { Sizes } from "../../runtime/size.ts";
import { pageWith } from "./browser.ts";
import type { launchesInPage } from "./page-launches.ts";
import { fromBase64, toBase64 } from "./page-run.ts";
import { shaderLaunch, takeBack, type Buffers } from "./webgpu.ts";

declare global {
  var launchesInThisPage: typeof launchesInPage;
}

export interface ShaderRun {
  readonly text: string;
  readonly kernel: Kernel;
  readonly memory: Buffers;
  readonly sizes: Sizes;
}

export interface Chromium {
  /** Runs them at the same time, each in its own memory. What the device refuses fails. */
  run(runs: readonly ShaderRun[]): Promise<void>;
  close(): Promise<void>;
}

export async function openChromium(): Promise<Chromium> {
  const { page, close } = await pageWith(
    `import { launchesInPage } from "./test/helpers/page-launches.ts";
      globalThis.launchesInThisPage = launchesInPage;`,
    { webgpu: true },
  );
  return {
    close,
    async run(runs) {
      const sent = runs.map(({ text, kernel, memory, sizes }) => {
        const { code, buffers, uniform, workgroups } = shaderLaunch(text, kernel, memory, sizes);
        return {
          ...{ code, workgroups, uniform: toBase64(uniform) },
          buffers: buffers.map(({ readOnly, bytes }) => ({ readOnly, bytes: toBase64(bytes) })),
        };
      });
      const all = await page.evaluate((launches) => globalThis.launchesInThisPage(launches), sent);
      for (const [at, left] of all.entries()) {
        const { text, kernel, memory } = runs[at]!;
        const found = typeof left === "string" ? left : left.map((each) => fromBase64(each).buffer);
        takeBack(found, text, kernel, memory);
      }
    },
  };
}
