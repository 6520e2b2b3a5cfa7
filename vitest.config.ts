import { defineConfig } from "vitest/config";
import { useSwiftShader } from "./test/helpers/swiftshader.ts";

useSwiftShader();

// Two workers: the test machine has two cores, and several suites start worker threads of their own.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/helpers/temporary-folder.ts",
    testTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
