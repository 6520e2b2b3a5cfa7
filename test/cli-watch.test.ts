// `moe build --watch`: again at each change of the file or of what it imports, mistakes told, until Ctrl-C; and `moe build --types`.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { testShell, type TestShell } from "./helpers/cli.ts";

const main = `import "./part.moe" { Twice }

model Small {
  modality x = features(2)
  Twice(x)
}
`;
const part = (factor: string): string => `function Twice(x: [D]) -> [D] {
  ${factor} * x
}
`;

let shell: TestShell;
afterEach(() => shell.remove());

test(
  "builds again when an imported module changes, and goes on after a mistake",
  { timeout: 60_000 },
  async () => {
    shell = testShell({ "small.moe": main, "part.moe": part("2") });
    const kernels = join(shell.folder, "out/kernels.txt");
    let [stop, err] = [(): void => {}, ""];
    const ended = shell.run(["build", "small.moe", "-o", "out", "--watch"], {
      onInterrupt: (given) => {
        stop = given;
        return () => {};
      },
      err: (text) => void (err += text),
    });
    const soon = { timeout: 60_000, interval: 50 };
    await vi.waitFor(() => expect(err).toContain("watching small.moe, part.moe"), soon);
    expect(readFileSync(kernels, "utf8")).toContain("2.0");
    shell.write("part.moe", part("y"));
    await vi.waitFor(() => expect(err).toContain("there is no `y` here"), soon);
    expect(readFileSync(kernels, "utf8")).toContain("2.0");
    shell.write("part.moe", part("7"));
    await vi.waitFor(() => expect(readFileSync(kernels, "utf8")).toContain("7.0"), soon);
    stop();
    expect((await ended).code).toBe(0);
  },
);

test("writes, and checks, the types beside a file", async () => {
  shell = testShell({ "small.moe": main, "part.moe": part("2") });
  const types = join(shell.folder, "small.d.moe.ts");
  expect(await shell.run(["build", "small.moe", "--types", "--check"])).toMatchObject({
    code: 1,
    err: "small.d.moe.ts is missing\nrun `moe build --types` again\n",
  });
  expect(await shell.run(["build", "small.moe", "--types"])).toMatchObject({
    code: 0,
    out: "small.d.moe.ts\n",
  });
  expect(readFileSync(types, "utf8")).toContain("export interface Small");
  expect(existsSync(join(shell.folder, "dist"))).toBe(false);
  expect((await shell.run(["build", "small.moe", "--types", "--check"])).code).toBe(0);
  shell.write("small.d.moe.ts", "export {};\n");
  expect((await shell.run(["build", "small.moe", "--types"])).err).toContain("C0202");
  rmSync(types);
});
