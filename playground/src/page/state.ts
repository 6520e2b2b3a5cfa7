// State: all that a link to this page says, packed into the part of the address behind the #, which no server sees. In: a state, or such
// a text. Out: the other. A damaged link is an error with a message for people. Links are read with care: they come from anybody.

import { deflateSync, Inflate } from "fflate";
import { joinedBytes } from "../../../runtime/join.ts";
import { toyNames, type ToyName } from "../data/toys.ts";
import { longestText, type Device } from "../messages.ts";

export const tabs = ["drawing", "routing", "plan", "kernels", "training"] as const;
export type Tab = (typeof tabs)[number];

export interface State {
  /** The example that the text began as. */
  readonly example: string;
  /** Absent: as the example has it. */
  readonly text?: string;
  readonly model?: string;
  readonly toy: ToyName;
  readonly tab: Tab;
  readonly seed: number;
  readonly device: Device;
  readonly prompt: string;
}

export const defaults: State = {
  ...{ example: "plane", toy: "moons", tab: "drawing", seed: 1, device: "auto", prompt: "The whale " },
};

export class BadLink extends Error {}

export function toLink(state: State): string {
  const said = Object.entries(state).filter(
    ([name, value]) =>
      value !== undefined && value !== (defaults as unknown as Record<string, unknown>)[name],
  );
  if (said.length === 0) return "";
  const bytes = deflateSync(new TextEncoder().encode(JSON.stringify(Object.fromEntries(said))), { level: 9 });
  // In pieces: a call takes only so many arguments.
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096)
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromLink(link: string, isExample: (id: string) => boolean): State {
  if (link === "") return defaults;
  let said: unknown;
  try {
    const bytes = Uint8Array.from(atob(link.replaceAll("-", "+").replaceAll("_", "/")), (c) =>
      c.charCodeAt(0),
    );
    said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(unpacked(bytes)));
  } catch {
    throw new BadLink("it is cut off or was changed on its way");
  }
  if (typeof said !== "object" || said === null) throw new BadLink("it holds no state of this page");
  const given = said as Readonly<Record<string, unknown>>;
  const { example = defaults.example, text, model, toy, tab, seed, device, prompt } = given;
  if (typeof example !== "string" || !isExample(example))
    throw new BadLink("it names an example that this page does not have");
  if (text !== undefined && (typeof text !== "string" || text.length > longestText))
    throw new BadLink("its text is too long for this page");
  return {
    example,
    ...(text === undefined ? {} : { text }),
    ...(typeof model === "string" ? { model: model.slice(0, 100) } : {}),
    toy: toyNames.find((name) => name === toy) ?? defaults.toy,
    tab: tabs.find((name) => name === tab) ?? defaults.tab,
    seed: seedOf(seed),
    device: device === "cpu" || device === "webgpu" ? device : "auto",
    prompt: typeof prompt === "string" ? prompt.slice(0, 80) : defaults.prompt,
  };
}

/** A whole number that a recipe could have. */
export const seedOf = (given: unknown): number =>
  Number.isInteger(given) && (given as number) >= 0 && (given as number) < 2 ** 31
    ? (given as number)
    : defaults.seed;

/** Stops before a small link becomes a large text. */
function unpacked(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  let ended = false;
  const inflate = new Inflate((part, final) => {
    length += part.length;
    // A character is at most four bytes here, and JSON may write it with six.
    if (length > 6 * longestText + 10_000) throw new Error("too long");
    parts.push(part);
    ended = final;
  });
  for (let at = 0; at < bytes.length; at += 1024)
    inflate.push(bytes.subarray(at, at + 1024), at + 1024 >= bytes.length);
  if (!ended) throw new Error("cut off");
  return joinedBytes(parts);
}
