// The worker: one script for four roles, so that the compiler is loaded once and kept by the browser. In: the role, then requests.
// Out: answers. Whatever goes wrong with one request is told and gone; a page that gets no answer ends the worker.

import type {
  Answer,
  CompileAnswer,
  CompileAsked,
  CostAsked,
  FromTrainer,
  LanguageAsked,
  Request,
  Role,
  ToTrainer,
} from "../messages.ts";

const whyOf = (problem: unknown): string => (problem instanceof Error ? problem.message : String(problem));

async function beLanguage(): Promise<void> {
  const { answerLanguage, warmUp } = await import("./language.ts");
  answering<LanguageAsked>(answerLanguage);
  warmUp();
}

async function beCosts(): Promise<void> {
  const { answerCost } = await import("./costs.ts");
  answering<CostAsked>(answerCost);
}

const answering = <Asked>(answer: (asked: Asked) => unknown): void =>
  listen<Request<Asked>>(({ id, asked }) => {
    try {
      postMessage({ id, answer: answer(asked) } satisfies Answer<unknown>);
    } catch (problem) {
      postMessage({ id, failed: whyOf(problem) } satisfies Answer<unknown>);
    }
  });

async function beCompiler(): Promise<void> {
  const { compileText } = await import("./compiling.ts");
  listen<Request<CompileAsked>>(({ id, asked }) => {
    const tell = (answer: CompileAnswer): void => postMessage({ id, answer } satisfies Answer<CompileAnswer>);
    try {
      compileText(asked, tell);
    } catch (problem) {
      tell({ kind: "failed", message: whyOf(problem) });
    }
  });
}

async function beTrainer(): Promise<void> {
  const { hearTrainer, told } = await import("./training.ts");
  const tell = (message: FromTrainer): void => postMessage(message);
  listen<ToTrainer>((message) => {
    hearTrainer(message, tell).catch((problem: unknown) => tell({ kind: "problem", text: told(problem) }));
  });
}

/** What came before there was anybody to hear it. */
const early: unknown[] = [];
let hear: (message: unknown) => void = (message) => void early.push(message);

/** Says that the role is loaded, with an answer to no request. */
function listen<Message>(on: (message: Message) => void): void {
  if (self.name !== "trainer") postMessage({ id: -1 } satisfies Answer<unknown>);
  hear = (message) => on(message as Message);
  for (const message of early.splice(0)) hear(message);
}

const roles: Readonly<Record<Role, () => Promise<void>>> = {
  language: beLanguage,
  costs: beCosts,
  compiler: beCompiler,
  trainer: beTrainer,
};

addEventListener("message", ({ data }: MessageEvent<unknown>) => hear(data));
void roles[self.name as Role]();
