// The command line as a user meets it: help, usage, exit codes, files of every bad kind. Commands run inside this process with
// their output caught; cli-process.test.ts starts the real one.

import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { makeProgram } from "../cli/program.ts";
import { pages } from "../cli/pages.ts";
import { testShell, tinyModel, type TestShell } from "./helpers/cli.ts";

const shells: TestShell[] = [];
const shell = (files?: Parameters<typeof testShell>[0]): TestShell => {
  const made = testShell(files);
  shells.push(made);
  return made;
};
afterAll(() => shells.forEach((each) => each.remove()));

/** Wrong in one place. */
const broken = tinyModel.replace("x @ transpose(table)", "x @ transpose(tabl)");

describe("help", () => {
  const verbs = [
    "init",
    "check",
    "fmt",
    "show",
    "plan",
    "graph",
    "explain",
    "train",
    "eval",
    "generate",
    "build",
  ];

  test("every text", async () => {
    const { run } = shell();
    const texts = [await run([]), ...(await Promise.all(verbs.map((verb) => run([verb, "--help"]))))];
    expect(texts.map(({ code, err }) => ({ code, err }))).toEqual(texts.map(() => ({ code: 0, err: "" })));
    await expect(texts.map(({ out }) => out).join("\n----\n\n")).toMatchFileSnapshot("golden/cli-help.txt");
  });

  test("every verb has two examples or more, and none is missing here", async () => {
    const { run } = shell();
    const program = makeProgram({} as Parameters<typeof makeProgram>[0], () => {});
    expect(program.commands.map((command) => command.name()).sort()).toEqual([...verbs].sort());
    for (const verb of verbs) {
      const { out } = await run([verb, "--help"]);
      expect(out.split(`  $ moe ${verb}`).length - 1, verb).toBeGreaterThanOrEqual(2);
    }
  });

  test("help as a word", async () => {
    const { run } = shell();
    expect(await run(["help", "train"])).toEqual(await run(["train", "--help"]));
    expect(await run(["help"])).toEqual(await run([]));
  });

  test("docs/cli.md names every verb and every option", () => {
    const page = readFileSync("docs/cli.md", "utf8");
    const program = makeProgram({} as Parameters<typeof makeProgram>[0], () => {});
    for (const command of program.commands) {
      expect(page).toContain(`\n## moe ${command.name()}`);
      for (const option of command.options)
        expect(page, `${command.name()} ${option.long}`).toContain(option.long!);
    }
  });

  test("--version is that of package.json", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await shell().run(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });
});

describe("usage", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["trian x.moe", "error[C0401]: unknown command `trian`\n  = help: did you mean `train`?\n"],
    ["zzz", "error[C0401]: unknown command `zzz`\n  = help: see `moe --help`\n"],
    ["train x.moe --stps 3", "error[C0401]: unknown option `--stps`\n  = help: did you mean `--steps`?\n"],
    ["train", "error[C0401]: missing required argument `file`\n  = help: see `moe train --help`\n"],
    [
      "train x.moe --steps 0",
      "error[C0401]: option `--steps <n>` argument `0` is invalid: it must be a whole number of at least 1\n  = help: see `moe train --help`\n",
    ],
    [
      "generate r --temperature warm",
      "error[C0401]: option `--temperature <t>` argument `warm` is invalid: it must be a number\n  = help: see `moe generate --help`\n",
    ],
    [
      "check --error-format xml",
      "error[C0401]: option `--error-format <format>` argument `xml` is invalid: it must be one of text, json, github\n  = help: see `moe check --help`\n",
    ],
    [
      "plan a.moe b.moe",
      "error[C0401]: too many arguments for `plan`: expected 1 argument but got 2\n  = help: see `moe plan --help`\n",
    ],
    ["explain M9999", "error[C0402]: there is no code M9999\n  = help: `moe explain` lists every code\n"],
    [
      "graph tiny.moe -o x.png",
      "error[C0401]: a drawing is an .svg or an .html file, not x.png\n  = help: end the name with .svg or .html\n",
    ],
    [
      "generate nowhere",
      "error[C0301]: there is no folder nowhere\n  = help: train first: moe train FILE.moe\n",
    ],
    [
      "generate tiny.moe",
      "error[C0301]: tiny.moe is a file, not the folder of a run\n  = help: train it first: moe train tiny.moe\n",
    ],
    [
      "eval tiny.moe",
      "error[C0401]: tiny.moe has no trained parameters of its own\n  = help: say which with --checkpoint, or give the folder of a run\n",
    ],
    [
      "eval tiny.moe --checkpoint worst",
      "error[C0401]: worst is no checkpoint\n  = help: give `best`, `last`, `previous`, a `.safetensors` file, or the folder of a run\n",
    ],
    ["eval tiny.moe --checkpoint tiny.moe", "error[C0401]"],
    [
      "train tiny.moe --seed -1",
      "error[C0401]: option `--seed <n>` argument `-1` is invalid: it must be a whole number of at least 0",
    ],
    [
      "train tiny.moe --resume",
      "error[C0302]: there is no run of tiny.moe in runs/\n  = help: begin one without --resume, or name its folder\n",
    ],
    ["train tiny.moe --set banana", "error[C0403]"],
    ["train tiny.moe", "error[R0101]"],
  ];
  test.each(cases)("moe %s", async (line, expected) => {
    const { run, folder } = shell({ "tiny.moe": tinyModel });
    const { code, out, err } = await run(line.split(" "));
    expect(expected.endsWith("\n") ? err : err.slice(0, expected.length)).toBe(expected);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    // Nothing is left behind by a command that did nothing.
    expect(readdirSync(folder)).toEqual(["tiny.moe"]);
  });
});

describe("files that cannot be used", () => {
  const commands = ["check", "fmt", "show", "plan", "build", "train"];
  const cases: readonly (readonly [string, string, string])[] = [
    ["missing", "no.moe", "error[C0101]: there is no file no.moe\n  = help: check the path\n"],
    [
      "binary",
      "binary.moe",
      "error[C0103]: binary.moe is not text: byte 1 is zero\n  = help: give a text file in UTF-8\n",
    ],
    [
      "latin-1",
      "latin.moe",
      "error[C0103]: latin.moe is not text: it is not UTF-8\n  = help: give a text file in UTF-8\n",
    ],
  ];
  const files = {
    "binary.moe": Uint8Array.of(77, 0, 1, 2),
    "latin.moe": Uint8Array.of(47, 47, 32, 0xe9, 10),
    "empty.moe": "",
    "folder/in.moe": tinyModel,
  };
  test.each(cases)("%s", async (_, file, expected) => {
    const { run } = shell(files);
    for (const command of commands)
      expect({ command, ...(await run([command, file])) }).toEqual({
        command,
        code: 2,
        out: "",
        err: expected,
      });
  });

  test("a folder where a file is needed", async () => {
    const { run } = shell(files);
    for (const command of ["show", "plan", "build", "train"])
      expect(await run([command, "folder"])).toEqual({
        code: 2,
        out: "",
        err: "error[C0102]: folder is a folder\n  = help: give a file in it: folder/in.moe\n",
      });
  });

  test("an empty file has no model", async () => {
    const { run } = shell(files);
    for (const command of ["show", "plan", "build", "train"]) {
      const { code, err } = await run([command, "empty.moe"]);
      expect({ code, err: err.split("\n")[0] }).toEqual({
        code: 1,
        err: "error[M0605]: the file has no model",
      });
    }
    expect((await run(["check", "empty.moe"])).out).toBe("empty.moe is well\n");
  });

  test("unreadable, unless one may read everything", async () => {
    const { run, folder } = shell(files);
    chmodSync(join(folder, "empty.moe"), 0o000);
    const { code, err } = await run(["check", "empty.moe"]);
    if (process.getuid?.() === 0) expect(code).toBe(0);
    else
      expect(err).toBe(
        "error[C0104]: cannot read empty.moe: permission is denied\n  = help: make the file readable\n",
      );
  });

  test("errors in the file: pictures, exit code 1, nothing written", async () => {
    const { run, folder } = shell({ "tiny.moe": broken });
    for (const command of ["show", "plan", "build", "train"]) {
      const { code, out, err } = await run([command, "tiny.moe"]);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toContain("error[M0101]");
      expect(err).toContain("= help: did you mean `table`?");
      expect(err.endsWith("\n\n1 error\n")).toBe(true);
    }
    expect(readdirSync(folder)).toEqual(["tiny.moe"]);
  });
});

describe("check", () => {
  test("every file below the folder; results and dependencies are left out", async () => {
    const { run } = shell({
      "b.moe": tinyModel,
      "a/c.moe": broken,
      "node_modules/x.moe": "?",
      "runs/r/source/y.moe": "?",
    });
    const { code, out, err } = await run(["check"]);
    expect({ code, out }).toEqual({ code: 1, out: "a/c.moe has 1 error\nb.moe is well\n" });
    expect(err).toContain("--> a/c.moe:");
    expect(err.endsWith("1 error in 2 files\n")).toBe(true);
  });

  test("JSON and GitHub", async () => {
    const { run } = shell({ "tiny.moe": broken });
    const json = JSON.parse((await run(["check", "--json"])).out) as {
      errors: number;
      diagnostics: { code: string; at: { module: string; from: { line: number } } }[];
    };
    expect(json.errors).toBe(1);
    expect(json.diagnostics[0]).toMatchObject({
      code: "M0101",
      at: { module: "tiny.moe", from: { line: 13 } },
    });
    expect((await run(["check", "--error-format", "github"])).out).toMatch(
      /^::error file=tiny\.moe,line=13,/,
    );
  });

  test("a file that cannot be read is told of, and the others go on", async () => {
    const { run } = shell({
      "a.moe": tinyModel,
      "b.moe": Uint8Array.of(0x66, 0, 1, 2),
      "c.moe": `import "./b.moe" { X }\n${tinyModel}`,
      "d.moe": broken,
    });
    const unread = "error[C0103]: b.moe is not text: byte 1 is zero\n  = help: give a text file in UTF-8\n";
    const { code, out, err } = await run(["check"]);
    expect({ code, out }).toEqual({ code: 2, out: "a.moe is well\nd.moe has 1 error\n" });
    // What imports it says the same thing, which is said once.
    expect(err.split(unread)).toHaveLength(2);
    expect(err).toContain("--> d.moe:");
    expect(err.endsWith("1 error in 2 files\n")).toBe(true);
    const json = await run(["check", "--json"]);
    expect({ code: json.code, err: json.err }).toEqual({ code: 2, err: unread });
    expect(JSON.parse(json.out)).toMatchObject({ files: ["a.moe", "d.moe"], errors: 1 });
    const given = await run(["check", "gone.moe", "a.moe"]);
    expect({ code: given.code, out: given.out }).toEqual({ code: 2, out: "a.moe is well\n" });
    expect(given.err).toContain("error[C0101]: there is no file gone.moe");
  });

  test("warnings are no errors, but with --strict", async () => {
    const unused = tinyModel.replace("{ SwiGLU }", "{ SwiGLU, Gelu }");
    const { run } = shell({ "tiny.moe": unused });
    const { code, out, err } = await run(["check"]);
    expect({ code, out }).toEqual({ code: 0, out: "tiny.moe is well, with 1 warning\n" });
    expect(err).toContain("warning[M0704]");
    expect((await run(["check", "--strict"])).code).toBe(1);
  });

  test("no file at all", async () => {
    expect(await shell().run(["check"])).toEqual({
      code: 2,
      out: "",
      err: "error[C0105]: there is no `.moe` file here\n  = help: name a file, or make one with `moe init`\n",
    });
  });
});

describe("fmt", () => {
  const ugly = tinyModel.replace("dim D = 8", "dim   D=8");
  test("rewrites what differs, and only that", async () => {
    const { run, folder } = shell({ "tiny.moe": ugly, "well.moe": tinyModel });
    chmodSync(join(folder, "tiny.moe"), 0o640);
    expect(await run(["fmt", "--check"])).toEqual({
      code: 1,
      out: "would format tiny.moe\n",
      err: "run `moe fmt` to format 1 file\n",
    });
    expect(readFileSync(join(folder, "tiny.moe"), "utf8")).toBe(ugly);
    expect(await run(["fmt"])).toEqual({ code: 0, out: "formatted tiny.moe\n", err: "" });
    expect(readFileSync(join(folder, "tiny.moe"), "utf8")).toBe(tinyModel);
    expect(statSync(join(folder, "tiny.moe")).mode & 0o777).toBe(0o640);
    expect(await run(["fmt", "--check"])).toEqual({ code: 0, out: "2 files already in style\n", err: "" });
    expect(readdirSync(folder).sort()).toEqual(["tiny.moe", "well.moe"]);
  });

  test("a file that cannot be read is told of, and the others go on", async () => {
    const { run, folder } = shell({ "a.moe": Uint8Array.of(0), "b.moe": "model  M{}" });
    expect(await run(["fmt"])).toEqual({
      code: 2,
      out: "formatted b.moe\n",
      err: "error[C0103]: a.moe is not text: byte 0 is zero\n  = help: give a text file in UTF-8\n",
    });
    expect(readFileSync(join(folder, "b.moe"), "utf8")).toBe("model M {}\n");
    expect((await run(["fmt", "--check"])).out).toBe("");
  });

  test("follows links", async () => {
    const { run, folder } = shell({ "real.moe": ugly });
    symlinkSync("real.moe", join(folder, "link.moe"));
    await run(["fmt", "link.moe"]);
    expect(readFileSync(join(folder, "real.moe"), "utf8")).toBe(tinyModel);
  });

  test("standard input", async () => {
    const { run } = shell();
    expect(await run(["fmt", "-"], { input: () => Promise.resolve(ugly) })).toEqual({
      code: 0,
      out: tinyModel,
      err: "",
    });
    expect((await run(["fmt", "-", "--check"], { input: () => Promise.resolve(ugly) })).code).toBe(1);
  });

  test("a file with errors stays as it is", async () => {
    const { run, folder } = shell({ "bad.moe": "model {" });
    const { code, err } = await run(["fmt", "bad.moe"]);
    expect(code).toBe(1);
    expect(err).toContain("bad.moe is left as it is");
    expect(readFileSync(join(folder, "bad.moe"), "utf8")).toBe("model {");
  });
});

describe("explain", () => {
  test("a page for every code, in every spelling that a message suggests", async () => {
    const { run } = shell();
    const all = await pages();
    expect(new Set(all.map(({ code }) => code)).size).toBe(all.length);
    expect(all.filter(({ group }) => group === "Others")).toEqual([]);
    for (const { code, title } of all)
      expect((await run(["explain", code])).out.startsWith(`${code}: ${title}\n`)).toBe(true);
    expect((await run(["explain", "error[c0101]"])).out.startsWith("C0101:")).toBe(true);
  });

  test("codes that the command line raises have pages", async () => {
    const known = new Set((await pages()).map(({ code }) => code));
    const sources = readdirSync("cli", { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".ts"),
    );
    for (const file of sources)
      for (const [, code] of readFileSync(join("cli", file), "utf8").matchAll(/UserError\(\s*"(\w+)"/g))
        expect(known, `${file} raises ${code}`).toContain(code);
  });
});

describe("our own mistakes", () => {
  test("one message, no stack, exit code 101; the stack when asked for", async () => {
    const { run } = shell();
    const fails = {
      out: () => {
        throw new Error("internal: it broke");
      },
    };
    const { code, err } = await run(["explain"], fails);
    expect(code).toBe(101);
    expect(err.split("\n")[0]).toBe("internal error: it broke");
    expect(err).not.toContain("cli.test.ts");
    expect((await run(["explain"], { ...fails, environment: { MOE_DEBUG: "1" } })).err).toContain(
      "cli.test.ts",
    );
  });
});
