// Compiling: a text to everything that the page shows of it. In: a text, perhaps the name of a model, the code that is looked at. Out:
// answers, told one after another: mistakes first, then the drawing, the plan and the routing, then kernels as text.

import { drawModel } from "../../../cli/draw/draw.ts";
import { choiceWords } from "../../../cli/draw/choice.ts";
import { planOf, sizesOf } from "../../../cli/planned.ts";
import { artifact } from "../../../compiler/artifact.ts";
import { planModel, type PlannedModel } from "../../../compiler/compile.ts";
import { printKernel } from "../../../compiler/print-kernel.ts";
import { checkFor } from "../../../editor/features/checked.ts";
import { fixesFor } from "../../../editor/features/fixes.ts";
import { hintsIn } from "../../../editor/features/inlay.ts";
import { modelsIn, openLibrary } from "../../../editor/features/source.ts";
import type { Diagnostic } from "../../../grammar/diagnostic.ts";
import { renderDiagnostic } from "../../../grammar/text.ts";
import type { Program } from "../../../runtime/program.ts";
import { plainText } from "../../../runtime/webgpu/shader.ts";
import { mainPath } from "../messages.ts";
import type { CodeKind, CompileAnswer, CompileAsked, Kernel, Problem, Routing, Wanted } from "../messages.ts";
import { hostOf, stdPaths } from "./host.ts";

type Tell = (answer: CompileAnswer) => void;

/** What was compiled last, so that another tab does not compile it again. */
interface Last {
  readonly key: string;
  readonly answers: CompileAnswer[];
  planned?: PlannedModel;
}
let last: Last | undefined;

export function compileText({ text, model, code }: CompileAsked, tell: Tell): void {
  const key = JSON.stringify([text, model]);
  if (last?.key === key) last.answers.forEach(tell);
  else {
    last = undefined;
    const next: Last = { key, answers: [] };
    const planned = compileAnew(text, model, (answer) => {
      next.answers.push(answer);
      tell(answer);
    });
    last = planned === undefined ? next : { ...next, planned };
  }
  if (code !== undefined && last.planned !== undefined)
    tell({ kind: "code", of: code, texts: codeOf(code, text, last.planned) });
  tell({ kind: "done" });
}

function compileAnew(text: string, wanted: string | undefined, tell: Tell): PlannedModel | undefined {
  const started = performance.now();
  const host = hostOf(text);
  const library = openLibrary(host);
  const source = library.open(mainPath)!;
  const models = modelsIn(source).map(({ name }) => name.text);
  const model = wanted !== undefined && models.includes(wanted) ? wanted : models[0];
  const checked = checkFor(host, mainPath);
  const { notes, given } = checked;
  const hints = hintsIn(source, checked, { start: 0, end: text.length }).map(({ at, text: hint }) => ({
    at,
    text: hint,
  }));
  const tellChecked = (diagnostics: readonly Diagnostic[]): void => {
    const problems = diagnostics.map((each) => problemOf(each, text, library));
    tell({ kind: "checked", problems, hints, found: { notes, given }, models, model });
  };
  tellChecked(checked.diagnostics);
  if (model === undefined || checked.diagnostics.some(({ severity }) => severity === "error"))
    return undefined;
  const { planned, diagnostics } = planModel({ host, path: mainPath, model });
  // What shows only when all of it is compiled.
  if (planned === undefined) tellChecked(diagnostics);
  else tell({ ...shownOf(planned), took: performance.now() - started });
  return planned;
}

function problemOf(diagnostic: Diagnostic, text: string, library: ReturnType<typeof openLibrary>): Problem {
  const { code, severity, message, at, help } = diagnostic;
  const here = at.module === mainPath;
  const source = library.open(mainPath)!;
  const lines = [
    message,
    ...(at.label === "" ? [] : [at.label]),
    ...(help === undefined ? [] : [`help: ${help}`]),
  ];
  return {
    from: here ? Math.min(at.span.start, text.length) : 0,
    to: here ? Math.min(at.span.end, text.length) : 0,
    severity,
    code,
    message: lines.join("\n"),
    picture: renderDiagnostic(diagnostic, (path) => library.read(path)),
    fixes: fixesFor(diagnostic, source, library, stdPaths).map(({ title, edits }) => ({ title, edits })),
  };
}

function shownOf(planned: PlannedModel): Omit<Extract<CompileAnswer, { kind: "compiled" }>, "took"> {
  const { program, graphs, lowered } = planned;
  const { svg } = drawModel(planned);
  const routing = program.routers.map(({ name, experts, nulls, width, picks, dropping = false }): Routing => {
    const node = graphs["evaluate"]?.outputs.find((output) => output.name === picks)?.node;
    const words = choiceWords(node, width, experts + nulls);
    return { name, experts, nulls, width, words, dropping };
  });
  return {
    kind: "compiled",
    drawing: svg.slice(svg.indexOf("<svg")),
    parts: ["model", ...lowered.map(({ name }) => name)],
    plan: planOf(program, sizesOf(program, {}), 1),
    routing,
    wanted: wantedBy(program),
  };
}

/** Which of the page's data a model reads. */
export function wantedBy({ training, modalities }: Program): Wanted {
  const kinds = new Set(modalities.map(({ kind }) => kind));
  const paths = (training?.data ?? []).map(({ path }) => path);
  const reads = (file: string): boolean => paths.some((path) => path.endsWith(file));
  const kind = reads("points.csv")
    ? "plane"
    : reads("weather.csv")
      ? "weather"
      : kinds.has("image")
        ? "digits"
        : kinds.has("tokens")
          ? "text"
          : "other";
  return { trains: training !== undefined, kind, steps: training?.steps ?? 0 };
}

function codeOf(kind: CodeKind, text: string, planned: PlannedModel): readonly Kernel[] {
  const names = (of: PlannedModel): readonly string[] => of.program.kernels.map(({ name }) => name);
  if (kind === "kernels")
    return planned.kernels.map((kernel, i) => ({ name: names(planned)[i]!, text: printKernel(kernel) }));
  const request = { host: hostOf(text), path: mainPath, model: planned.program.name };
  const target = kind === "wgsl" ? "webgpu" : "cuda";
  const { planned: other } = planModel({ ...request, target });
  if (other === undefined) throw new Error(`internal: the text compiles for the CPU and not for ${target}`);
  if (kind === "cuda") return [{ name: "all kernels", text: artifact(other, "cuda").source }];
  return artifact(other, "webgpu").shaders.map((shader, i) => ({
    name: names(other)[i]!,
    text: plainText(shader),
  }));
}
