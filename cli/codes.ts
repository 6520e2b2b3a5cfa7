// What can go wrong in the command line itself: files and folders. C01: reading. C02: writing. C03: run folders. C04: usage.
// The runtime's own codes are in runtime/errors.ts, those of the language in compiler/diagnostics/catalogue.ts.

import type { RuntimeCode } from "../runtime/error-codes.ts";

export const commandCodes: Readonly<Record<string, RuntimeCode>> = {
  C0101: {
    title: "no such file",
    text: "The path names nothing. Paths are relative to the folder in which the command was started.",
  },
  C0102: {
    title: "a folder where a file is needed",
    text: "The path names a folder, and the command needs one `.moe` file. Give the file in it.",
  },
  C0103: {
    title: "the file is not text",
    text:
      "A `.moe` file is text in UTF-8. This one holds bytes that are none: it is binary, or in another encoding. Convert it " +
      "(for instance with `iconv -t utf-8`), or check that the path is the one you meant.",
  },
  C0104: {
    title: "a file cannot be read",
    text: "The file exists, but the system refuses to read it. The message repeats the system's reason.",
  },
  C0105: {
    title: "nothing to do",
    text: "Without a file, `moe check` and `moe fmt` take every `.moe` file below the folder. There is none.",
  },
  C0106: {
    title: "the file is not an artifact of moe",
    text:
      "A build folder and a run folder hold `program.json` and `model.wasm`, which belong together. One of them is missing, was " +
      "edited, or was made by another version of moe. Build or train again.",
  },
  C0201: {
    title: "a file cannot be written",
    text: "The disk is full, or the folder may not be written. Files are replaced whole or not at all, so nothing is half-written.",
  },
  C0202: {
    title: "something is in the way",
    text:
      "The command would replace files that it did not make, so it stopped before it wrote anything. Choose another folder, or move " +
      "the files that the message names.",
  },
  C0203: {
    title: "there is a run in this folder already",
    text:
      "A run folder holds one run. Continue that run with `--resume`, choose another folder with `--out`, or delete the folder. Without " +
      "`--out`, a new folder (`runs/book-2`) is chosen.",
  },
  C0301: {
    title: "not a run folder",
    text:
      "The command needs a folder that `moe train` made: `run.json`, `program.json`, checkpoints. Train first, or give the folder that " +
      "`moe train` named when it began.",
  },
  C0302: {
    title: "no run to resume",
    text: "`--resume` continues the run in the folder of `--out`, or the latest one in `runs/`. There is none with a checkpoint.",
  },
  C0303: {
    title: "the model changed since the run began",
    text:
      "A run is resumed with the very model it began with, of which its folder holds a copy. The file differs from that copy now. Begin " +
      "a new run, or continue the old one by naming its folder: `moe train runs/book --resume`.",
  },
  C0304: {
    title: "there is nothing to train or evaluate on",
    text: "The file has no `train` block for this model, so it names no data. Add one.",
  },
  C0305: {
    title: "no such phase",
    text: "`--phase` names one of the phases of a recipe; without it the last one is meant. The message lists those that there are.",
  },
  C0401: {
    title: "a wrong command line",
    text: "An unknown command or option, or a value that the option does not take. `moe COMMAND --help` shows what there is.",
  },
  C0402: {
    title: "no such code",
    text: "`moe explain` alone lists every code there is.",
  },
  C0403: {
    title: "nothing to override",
    text: "`--steps`, `--seed` and `--set` change the file's `train` block; it has none, or the setting is not one of its settings.",
  },
};
