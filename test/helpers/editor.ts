// An editor for tests: the language server over the protocol, in a process of its own, with a workspace of one module; and a small model
// to ask about. In: a name for the bundle. Out: the client, and questions about texts in which `|` is the cursor.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TextEdit } from "vscode-languageserver-protocol";
import { TextDocument } from "vscode-languageserver-textdocument";
import { bundledServer, startClient, type Client } from "./language-server.ts";

/** A text in which `|` is the cursor. */
export const marked = (text: string): { readonly text: string; readonly offset: number } => {
  const offset = text.indexOf("|");
  return { text: text.slice(0, offset) + text.slice(offset + 1), offset };
};

/** A text with edits made. */
export const applied = (text: string, edits: readonly TextEdit[]): string =>
  TextDocument.applyEdits(TextDocument.create("", "moe", 0, text), [...edits]);

/** Asks about the cursor of a text, which becomes a document of its own. */
export type Ask = <R>(method: string, text: string, more?: object) => Promise<{ uri: string; answer: R }>;

export interface Editor {
  readonly client: Client;
  /** The workspace; it has a module `mine.moe`. */
  readonly folder: string;
  /** A name for a document that nobody else has. */
  readonly fresh: () => string;
  readonly ask: Ask;
  readonly stop: () => Promise<void>;
}

/** A server of this name, in a process of its own. */
export async function startEditor(name: string): Promise<Editor> {
  const folder = mkdtempSync(join(tmpdir(), "moe-editor-"));
  writeFileSync(join(folder, "mine.moe"), "/// Doubles.\nfunction Double(x: [D]) -> [D] {\n  2 * x\n}\n");
  const client = await startClient(await bundledServer(name), {
    folder,
    initializationOptions: { stdDocuments: true, commands: true },
  });
  let count = 0;
  const fresh = (): string => `case${count++}.moe`;
  const ask: Ask = async <R>(method: string, text: string, more: object = {}) => {
    const { text: plain, offset } = marked(text);
    const uri = client.open(fresh(), plain);
    const position = client.at(uri, offset);
    const params = { textDocument: { uri }, position, ...more };
    return { uri, answer: await client.request<R>(`textDocument/${method}`, params) };
  };
  const stop = async (): Promise<void> => {
    await client.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { client, folder, fresh, ask, stop };
}

export const small = `import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { TopK }

/// A pool of eight.
moe Pool(D, H)(x: [D]) -> [D] {
  routed SwiGLU(D, H) * 8
  router TopK { k = 2 }
}

model Small {
  dim D = 32
  modality text = tokens(vocab = 64)
  param table: [text.vocab, D] = normal(0.02)
  x = table[text]
  repeat 2 {
    x = x + Pool(D, 2 * D)(RMSNorm(x))
  }
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("corpus/*.txt")
  batch 8 of 16
  optimizer adamw { rate = cosine(3e-3, warmup = 10) }
  steps 20
}
`;
