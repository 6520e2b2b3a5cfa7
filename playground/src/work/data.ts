// The data of the page: small files beside it, and toy data that are made. In: the recipe of a model. Out: the sources of its
// modalities. Texts and pictures stand for whatever files the recipe names; tables must be ones that the page has.

import { UserError } from "../../../runtime/errors.ts";
import type { DataSource, Program } from "../../../runtime/program.ts";
import type { TrainAsked } from "../messages.ts";
import { toTable, toyCount, toyPoints } from "../data/toys.ts";

type Source = string | Uint8Array;

export async function sourcesFor(
  { training, modalities }: Program,
  { toy, seed, base }: TrainAsked,
): Promise<Readonly<Record<string, Source>>> {
  const files = new Map<string, Promise<Source>>();
  const file = (name: string): Promise<Source> => {
    const before = files.get(name) ?? fetched(new URL(`data/${name}`, base), name);
    files.set(name, before);
    return before;
  };
  const one = (source: DataSource): Promise<Source> => {
    const { modality, reader, path } = source;
    switch (reader) {
      case "bytes":
      case "characters":
      case "pairs":
        return file("whale.txt");
      case "idx":
        return file(
          modalities.find(({ name }) => name === modality)?.kind === "image"
            ? "digits.images.idx.gz"
            : "digits.labels.idx.gz",
        );
      case "csv":
        if (path.endsWith("points.csv")) return Promise.resolve(toTable(toyPoints(toy, toyCount, seed)));
        if (path.endsWith("weather.csv")) return file("weather.csv");
        throw notHere(path);
      case "jsonl":
        throw notHere(path);
      default:
        return reader satisfies never;
    }
  };
  const found: Record<string, Source> = {};
  for (const source of training?.data ?? []) found[source.modality] ??= await one(source);
  return found;
}

const notHere = (path: string): UserError =>
  new UserError("R0101", `this page has no file \`${path}\``, {
    file: path,
    help: "read `points.csv` (x, y, side) or `weather.csv`, any text with `bytes`, or the digits with `idx`",
  });

async function fetched(address: URL, name: string): Promise<Uint8Array> {
  const answer = await fetch(address).catch(() => undefined);
  if (answer?.ok !== true)
    throw new UserError("R0101", `the page's file data/${name} cannot be loaded`, {
      file: name,
      help: "look whether the network is there, and try again",
    });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  // Some servers unpack it on the way, others do not.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}
