import { defineConfig } from "vitest/config";
import { useSwiftShader } from "./test/helpers/swiftshader.ts";

useSwiftShader();

// Two workers: the test machine has two cores, and several suites start worker threads of their own.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/helpers/temporary-folder.ts",
    // Against what hangs, not what is slow: a machine that does other work, too, takes six times as long.
    testTimeout: 180_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
