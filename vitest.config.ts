import { basename } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { useSwiftShader } from "./test/helpers/swiftshader.ts";

useSwiftShader();

/** What takes longest, longest first: begun at the end, one of them would leave a core with nothing to do. */
const long = [
  "differential",
  "examples",
  "browser-example",
  "wgsl-programs",
  "webgpu-differential",
  "random-everywhere",
  "gpu-bulk",
  "docs-site",
  "claims",
  "programs",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = long.indexOf(basename(moduleId, ".test.ts"));
      return at < 0 ? long.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

const all = ["test/**/*.test.ts"];
/** Those with a WebGPU device in their process: what a process asks of Dawn first holds until it ends. */
const withDevice = [
  "test/{wgsl,webgpu}*.test.ts",
  "test/{choose-long,every-kernel,f16-values,half-sums,precision,random-everywhere}.test.ts",
];

// Two workers: the test machine has two cores, and several suites start worker threads of their own. Files share their processes where they can, so
// that the compiler is loaded, and compiled by the engine, twice and not two hundred times: a third of all the processor time.
export default defineConfig({
  test: {
    globalSetup: "test/helpers/temporary-folder.ts",
    setupFiles: "test/helpers/leave-as-found.ts",
    // Against what hangs, not what is slow: a machine that does other work, too, takes six times as long.
    testTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: "devices", include: withDevice, isolate: true } },
      {
        extends: true,
        test: {
          name: "shared",
          include: all,
          exclude: [...configDefaults.exclude, ...withDevice],
          isolate: false,
        },
      },
    ],
  },
});
