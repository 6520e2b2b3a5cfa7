// A shell for tests of the command line: a folder of its own under the system's temporary one, output caught.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { main } from "../../cli/program.ts";
import type { Shell } from "../../cli/shell.ts";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface TestShell {
  readonly folder: string;
  write(path: string, content: string | Uint8Array): void;
  run(args: readonly string[], more?: Partial<Shell>): Promise<Outcome>;
  remove(): void;
}

export function testShell(files: Readonly<Record<string, string | Uint8Array>> = {}): TestShell {
  const folder = mkdtempSync(join(tmpdir(), "moe-cli-"));
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  for (const [path, content] of Object.entries(files)) write(path, content);
  return {
    folder,
    write,
    remove: () => rmSync(folder, { recursive: true, force: true }),
    async run(args, more = {}) {
      let [out, err] = ["", ""];
      const shell: Shell = {
        folder,
        environment: {},
        out: (text) => void (out += text),
        err: (text) => void (err += text),
        colour: { out: false, err: false },
        columns: 100,
        input: () => Promise.resolve(""),
        onInterrupt: () => () => {},
        ...more,
      };
      const code = await main(shell, args);
      return { code, out, err };
    },
  };
}

/** Compiles and trains in a moment: four experts, one layer, bytes. */
export const tinyModel = `import std.experts { SwiGLU }
import std.routers { LossFree }

/// A model as small as one can be.
model Tiny {
  dim D = 8
  modality text = tokens(vocab = 256)
  param table: [text.vocab, D] = normal(0.1)

  pool = SwiGLU(D, D) * 4
  x = table[text]
  x = x + pool(x) by LossFree { k = 2 }
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Tiny {
  data text = bytes("data/*.txt")
  batch 2 of 8
  optimizer adamw { rate = 1e-2 }
  steps 6
  evaluate every 3 on 20%
}
`;

export const tinyText = "the cat sat on the mat and the dog sat on the log; ".repeat(8);
