// Phases of a recipe. In: a `train` block. Out: for each phase the block as if it stood alone: what the phase sets replaces what the
// block sets, patterns to freeze and rates add up. A block without phases is one phase without a name.

import type { Argument, Name, Setting, TrainDeclaration } from "../../grammar/syntax.ts";

export interface Phase {
  /** Absent: the block has no phases. */
  readonly name?: string;
  /** Settings only, no phases. */
  readonly train: TrainDeclaration;
  /** The model that is trained, and what it is given. */
  readonly model: Name;
  readonly statics: readonly Argument[];
  /** Names of the phases before it, in order; it starts from the tensors of the last. */
  readonly earlier: readonly string[];
}

type PhaseSetting = Extract<Setting, { setting: "phase" }>;

/** Whether a setting of a phase stands for one of the block. */
const replaces = (inner: Setting, outer: Setting): boolean =>
  inner.setting === "data" && outer.setting === "data"
    ? inner.modality.text === outer.modality.text
    : inner.setting === outer.setting && inner.setting !== "freeze" && inner.setting !== "rate";

function alone(train: TrainDeclaration, phase: PhaseSetting | undefined, earlier: readonly string[]): Phase {
  const own = phase?.settings ?? [];
  const common = train.settings.filter(
    (setting) =>
      setting.setting !== "phase" &&
      !own.some((inner) => replaces(inner, setting)) &&
      !(earlier.length > 0 && setting.setting === "start"),
  );
  const settings = [...common, ...own.filter(({ setting }) => setting !== "phase")];
  const asked = settings.find((setting) => setting.setting === "model");
  return {
    ...(phase === undefined ? {} : { name: phase.name.text }),
    train: { ...train, settings },
    model: asked?.name ?? train.model,
    statics: asked?.options ?? [],
    earlier,
  };
}

/** In order; at least one. */
export function phasesOf(train: TrainDeclaration): readonly Phase[] {
  const phases = train.settings.filter((setting) => setting.setting === "phase");
  if (phases.length === 0) return [alone(train, undefined, [])];
  const names = phases.map(({ name }) => name.text);
  return phases.map((phase, i) => alone(train, phase, names.slice(0, i)));
}
