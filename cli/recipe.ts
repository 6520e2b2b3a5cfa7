// Recipe: what the command line changes in a `train` block (`--steps 100`, `--set "batch 8 of 64"`). In: the file's text and
// settings as the language spells them. Out: the text with those settings replaced or added. The compiler sees an ordinary
// file, and the run folder keeps a copy that says what was really trained.

import { parse } from "../grammar/parse.ts";
import type { Setting, TrainDeclaration } from "../grammar/syntax.ts";
import { UserError } from "../runtime/errors.ts";

/** Replaces settings of the `train` block of a model (of the only one, without a name). */
export function overrideRecipe(
  text: string,
  file: string,
  model: string | undefined,
  settings: readonly string[],
): string {
  return settings.reduce((before, setting) => override(before, file, model, setting), text);
}

function override(text: string, file: string, model: string | undefined, change: string): string {
  const { module, diagnostics } = parse(text, file);
  // The file's own mistakes are shown when it is compiled.
  if (diagnostics.some(({ severity }) => severity === "error")) return text;
  const train = module.declarations.find(
    (each): each is TrainDeclaration =>
      each.node === "train" && (model === undefined || each.model.text === model),
  );
  if (train === undefined)
    throw new UserError(
      "C0403",
      `${file} has no \`train\` block${model === undefined ? "" : ` for ${model}`}`,
      {
        file,
        help: `add one, and in it: ${change}`,
      },
    );
  const wanted = readSetting(change);
  // What every phase says for itself is said in every phase, and what none says in the block.
  const phases = train.settings.filter((each) => each.setting === "phase");
  const places = [train, ...phases].flatMap(
    ({ settings }) => settings.find((each) => same(each, wanted)) ?? [],
  );
  const edits = places.map(({ span }) => ({ ...span, text: change }));
  const reaches =
    train.settings.some((each) => same(each, wanted)) ||
    (phases.length > 0 && places.length === phases.length);
  if (!reaches) {
    const at = phases[0]?.span.start ?? train.span.end - 1;
    const before = text.slice(0, at).trimEnd().length;
    edits.push({ start: before, end: at, text: `\n  ${change}\n${phases.length > 0 ? "  " : ""}` });
  }
  return edits
    .sort((x, y) => y.start - x.start)
    .reduce((whole, { start, end, text: put }) => whole.slice(0, start) + put + whole.slice(end), text);
}

function readSetting(change: string): Setting {
  const { module, diagnostics } = parse(`train It {\n${change}\n}\n`, "the command line");
  const problem = diagnostics[0]?.message;
  const [block] = module.declarations;
  const setting = block?.node === "train" ? block.settings[0] : undefined;
  if (
    problem === undefined &&
    block?.node === "train" &&
    block.settings.length === 1 &&
    setting !== undefined
  )
    return setting;
  throw new UserError(
    "C0403",
    `\`${change}\` is not one setting of a \`train\` block${problem === undefined ? "" : `: ${problem}`}`,
    {
      help: 'write it as in the file, like --set "batch 8 of 64"',
    },
  );
}

/** Whether two settings exclude each other. Freezes and rates add up. */
function same(a: Setting, b: Setting): boolean {
  if (a.setting === "data" && b.setting === "data") return a.modality.text === b.modality.text;
  const many = ["freeze", "rate", "phase"];
  return a.setting === b.setting && !many.includes(a.setting);
}
