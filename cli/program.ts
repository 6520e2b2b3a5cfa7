// The verbs of `moe`, their options and help. In: arguments. Out: an exit code; the work is in commands/, each loaded when its
// verb is used, so that `moe --help` is there at once.

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { exitCodes, fail, type ExitCode } from "./exit.ts";
import { UserError } from "../runtime/errors.ts";
import type { TargetName } from "../runtime/program.ts";
import { accumulationNames, deviceNames, precisionNames } from "./device-names.ts";
import { levelNames, type LevelName } from "./level-names.ts";
import { paintWith } from "./paint.ts";
import type { Shell } from "./shell.ts";
import { version } from "./version.ts";

/** A whole number of at least `least`. */
const whole =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^[0-9_]+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  };
function real(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number.");
}
const oneOfSeveral =
  (choices: readonly string[]) =>
  (text: string, before: readonly string[] = []): readonly string[] => {
    if (choices.includes(text)) return [...before, text];
    throw new InvalidArgumentError(`It must be one of ${choices.join(", ")}.`);
  };
const several = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

const model = (): Option => new Option("-m, --model <name>", "which model, when the file has several");
const json = (): Option => new Option("--json", "print JSON");
const threads = (): Option => new Option("--threads <n>", "threads, this one included").argParser(whole(1));
const device = (): Option =>
  new Option("--device <device>", "where it runs (default: cpu)").choices(deviceNames);
const precision = (): Option =>
  new Option("--precision <type>", "of contractions on GPUs: f16, or bf16 with CUDA (default: f32)").choices(
    precisionNames,
  );
const accumulation = (): Option =>
  new Option(
    "--accumulation <type>",
    "of short sums in contractions: f16 with WebGPU and --precision f16 (default: f32)",
  ).choices(accumulationNames);
const checkpoint = (): Option =>
  new Option("--checkpoint <which>", "best, last, previous, or a .safetensors file (default: best)");

const phase = (): Option =>
  new Option("--phase <name>", "a phase of the recipe, when it has some (default: the last)");

const codes = `Exit codes: 0 good, 1 something was found (errors in a file, not in style, stale), 2 a mistake in the
command line or a file that cannot be used, 101 a mistake in moe itself, 130 interrupted.`;

interface ShowLine {
  readonly level?: LevelName;
  readonly entry?: string;
  readonly target?: TargetName;
  readonly json?: boolean;
}

/** Builds the tree; `end` gets the exit code of the command that ran. */
export function makeProgram(shell: Shell, end: (code: ExitCode) => void): Command {
  const run = (act: () => Promise<ExitCode>): Promise<void> => act().then(end);
  const program = new Command("moe")
    .description("Define, compile, train and understand mixture-of-experts models.")
    .version(version, "-V, --version", "print the version")
    .helpCommand(false)
    .addHelpText("after", `\nBegin with \`moe init my-model\`, or \`moe COMMAND --help\`.\n\n${codes}`);

  const verb = (name: string, group: string, summary: string, examples: readonly string[]): Command => {
    const lines = examples.map((line) => `  $ moe ${line}`).join("\n");
    return program
      .command(name)
      .helpGroup(group)
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
      .addHelpText("after", `\nExamples:\n${lines}`);
  };
  const [write, understand, use] = ["Write:", "Understand:", "Train and use:"];

  verb("init", write, "make a starter project", ["init my-model", "init"])
    .argument("[folder]", "where to (default: here)")
    .action((folder: string | undefined) =>
      run(async () => (await import("./commands/init.ts")).init(shell, folder)),
    );

  verb("check", write, "find every mistake in files", ["check book.moe", "check --error-format github"])
    .argument("[files...]", "files or folders (default: every .moe file below this folder)")
    .addOption(json())
    .addOption(
      new Option("--error-format <format>", "how mistakes are printed").choices(["text", "json", "github"]),
    )
    .option("--strict", "warnings are mistakes too")
    .action((files: string[], options: object) =>
      run(async () => (await import("./commands/check.ts")).check(shell, files, options)),
    );

  verb("fmt", write, "format files in the one style", ["fmt", "fmt --check book.moe"])
    .argument(
      "[files...]",
      "files or folders; - is standard input (default: every .moe file below this folder)",
    )
    .option("--check", "write nothing; fail when a file would change")
    .action((files: string[], options: object) =>
      run(async () => (await import("./commands/fmt.ts")).fmt(shell, files, options)),
    );

  verb("show", understand, "print a model with every default filled in", [
    "show book.moe",
    "show book.moe --json",
    "show book.moe --level kernel --entry decode --target webgpu",
  ])
    .argument("<file>", "a .moe file")
    .addOption(model())
    .addOption(phase())
    .addOption(new Option("--level <level>", "a level of the compiler instead, as text").choices(levelNames))
    .addOption(new Option("--entry <name>", "with --level: only forward, evaluate, train, update or decode"))
    .addOption(
      new Option("--target <target>", "with --level: what it is compiled for").choices([
        "wasm",
        "webgpu",
        "cuda",
      ]),
    )
    .addOption(json())
    .action((file: string, options: ShowLine) =>
      run(async () => {
        const { level } = options;
        const alone = (["entry", "target"] as const).find((name) => options[name] !== undefined);
        if (level === undefined && alone !== undefined)
          throw new UserError("C0401", `\`--${alone}\` is for a level of the compiler`, {
            help: `add \`--level\` (${levelNames.join(", ")}), or leave out \`--${alone}\``,
          });
        if (level === undefined) return (await import("./commands/show.ts")).show(shell, file, options);
        return (await import("./commands/show-level.ts")).showLevel(shell, file, { ...options, level });
      }),
    );

  verb("plan", understand, "what a model costs: parameters, arithmetic, memory, kernels", [
    "plan book.moe",
    "plan book.moe --batch 1 --length 4096 --json",
  ])
    .argument("<file>", "a .moe file")
    .addOption(model())
    .addOption(phase())
    .addOption(new Option("--batch <n>", "examples in one run (default: the recipe's)").argParser(whole(1)))
    .addOption(
      new Option("--length <n>", "tokens in one example (default: the recipe's)").argParser(whole(1)),
    )
    .addOption(
      new Option("--target <target>", "what it is compiled for")
        .choices(["wasm", "webgpu", "cuda"])
        .default("wasm"),
    )
    .addOption(precision())
    .addOption(accumulation())
    .addOption(threads())
    .option("--unfused", "launches and bytes without fusion as well")
    .option("--all", "every kernel, tensor and refusal")
    .addOption(json())
    .action((file: string, options: object) =>
      run(async () => (await import("./commands/plan.ts")).plan(shell, file, options)),
    );

  verb("graph", understand, "draw a model, its routing and its kernels", [
    "graph book.moe",
    "graph book.moe -o book.svg",
  ])
    .argument("<file>", "a .moe file")
    .addOption(model())
    .addOption(phase())
    .option("-o, --out <file>", "an .svg or .html file; - is standard output (default: MODEL.html)")
    .action((file: string, options: object) =>
      run(async () => (await import("./commands/graph.ts")).graph(shell, file, options)),
    );

  verb("explain", understand, "the page of a code that stands in a message", ["explain M0304", "explain"])
    .argument("[code]", "such as M0304 (default: list them all)")
    .addOption(json())
    .action((code: string | undefined, options: object) =>
      run(async () => (await import("./commands/explain.ts")).explain(shell, code, options)),
    );

  verb("train", use, "train a model into a run folder", [
    "train book.moe",
    'train book.moe --steps 100 --set "batch 8 of 64"',
    "train book.moe --resume",
  ])
    .argument("<file>", "a .moe file, or with --resume the folder of a run")
    .addOption(model())
    .option("-o, --out <folder>", "the run folder (default: runs/NAME)")
    .addOption(new Option("--steps <n>", "optimiser steps, instead of the recipe's").argParser(whole(1)))
    .addOption(new Option("--seed <n>", "of initial values, order and randomness").argParser(whole(0)))
    .addOption(
      new Option("--set <setting>", "replace a setting of the recipe; may be repeated").argParser(several),
    )
    .option("--resume", "go on from the last checkpoint")
    .addOption(device())
    .addOption(precision())
    .addOption(accumulation())
    .addOption(threads())
    .option("-q, --quiet", "print nothing but errors")
    .addOption(json())
    .action((file: string, options: object) =>
      run(async () => (await import("./commands/train.ts")).train(shell, file, options)),
    );

  verb("eval", use, "measure a trained model on held-out data", [
    "eval runs/book",
    "eval book.moe --checkpoint runs/book/last.safetensors",
  ])
    .argument("<run>", "the folder of a run, or a .moe file")
    .addOption(model())
    .addOption(phase())
    .addOption(checkpoint())
    .addOption(new Option("--batches <n>", "at most so many batches (default: all)").argParser(whole(1)))
    .addOption(device())
    .addOption(precision())
    .addOption(accumulation())
    .addOption(threads())
    .addOption(json())
    .action((file: string, options: object) =>
      run(async () => (await import("./commands/eval.ts")).evaluateCommand(shell, file, options)),
    );

  verb("generate", use, "let a trained model write", [
    'generate runs/book --prompt "Call me"',
    "generate runs/book --tokens 500 --temperature 0.7 --seed 3",
  ])
    .argument("<run>", "the folder of a run")
    .option("-p, --prompt <text>", "how the text begins (default: words of the held-out data)")
    .addOption(new Option("-n, --tokens <n>", "at most so many tokens (default: 200)").argParser(whole(0)))
    .addOption(
      new Option("--temperature <t>", "0 always takes the likeliest token (default: 0.8)").argParser(real),
    )
    .addOption(new Option("--top-k <k>", "only the k likeliest tokens").argParser(whole(1)))
    .addOption(
      new Option("--top-p <p>", "only the likeliest tokens that make up this probability").argParser(real),
    )
    .addOption(new Option("--seed <n>", "another seed, another text").argParser(whole(0)))
    .addOption(phase())
    .addOption(checkpoint())
    .addOption(device())
    .addOption(precision())
    .addOption(accumulation())
    .addOption(threads())
    .addOption(json())
    .action((folder: string, options: object) =>
      run(async () => (await import("./commands/generate.ts")).generate(shell, folder, options)),
    );

  verb("build", use, "compile into a folder: program, wasm, kernels, typed module", [
    "build book.moe -o dist",
    "build book.moe -o dist --check",
    "build book.moe -o dist --watch",
    "build book.moe --types",
  ])
    .argument("<file>", "a .moe file")
    .addOption(model())
    .addOption(phase())
    .option("-o, --out <folder>", "where to (default: dist)")
    .addOption(
      new Option("--target <target>", "webgpu or cuda: kernels for GPUs as well; may be repeated").argParser(
        oneOfSeveral(["wasm", "webgpu", "cuda"]),
      ),
    )
    .addOption(precision())
    .addOption(accumulation())
    .addOption(new Option("--context <n>", "tokens that generation can look back on").argParser(whole(1)))
    .option("--check", "write nothing; fail when the folder is stale")
    .option("--watch", "again whenever the file, or what it imports, changes")
    .option("--types", 'only book.d.moe.ts beside the file: types for `import … from "./book.moe"`')
    .addOption(json())
    .action((file: string, options: object) =>
      run(async () => (await import("./commands/build.ts")).build(shell, file, options)),
    );

  for (const command of [program, ...program.commands])
    command
      .exitOverride()
      .helpOption("-h, --help", "print help")
      .showSuggestionAfterError()
      .configureHelp({ helpWidth: 100, styleTitle: (text) => paintWith(shell.colour.out).bold(text) })
      .configureOutput({
        writeOut: shell.out,
        writeErr: shell.err,
        outputError: () => {},
        getOutHasColors: () => shell.colour.out,
        getErrHasColors: () => shell.colour.err,
      });
  return program;
}

/** Runs one command line. Never throws: every error is one message and a code. */
export async function main(shell: Shell, args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = exitCodes.good;
  const program = makeProgram(shell, (ended) => (code = ended));
  // `moe help train` is what many type first.
  const given = args[0] === "help" ? [...args.slice(1, 2), "--help"] : args;
  try {
    if (given.length === 0) program.outputHelp();
    else await program.parseAsync(given, { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(shell, error);
    // Help and version were printed.
    if (error.exitCode === 0) return exitCodes.good;
    return fail(shell, usage(error, args));
  }
}

const flags: ReadonlySet<string> = new Set(["--json", "--quiet", "--resume", "--check", "--all", "--help"]);

/** Commander's sentence as one of ours: lower case after a colon, no full stop, names in backquotes. */
function usage(error: CommanderError, args: readonly string[]): UserError {
  const [first = "", second = ""] = error.message.replace(/^error: /, "").split("\n");
  const message = first
    .replaceAll("'", "`")
    .replace(". Allowed choices are", ": it must be one of")
    .replace(/\. (It|Expected)\b/, (_, word: string) => `: ${word.toLowerCase()}`)
    .replace(/\.$/, "");
  const suggestion = /\(Did you mean (?:one of )?(.*)\?\)/.exec(second)?.[1];
  const verb = args.find((arg) => !arg.startsWith("-"));
  const known = error.code !== "commander.unknownCommand" && verb !== undefined;
  // A flag that was given a value is not unknown.
  const flag = /^unknown option `(--[a-z]+)=/.exec(message)?.[1];
  if (flag !== undefined && flags.has(flag))
    return new UserError("C0401", `\`${flag}\` takes no value`, { help: `write \`${flag}\` alone` });
  const help =
    suggestion === undefined
      ? `see \`moe ${known ? `${verb} ` : ""}--help\``
      : `did you mean \`${suggestion}\`?`;
  return new UserError("C0401", message, { help });
}
