// A language server for tests: the bundled program in a process of its own, spoken to over its standard streams with the protocol's
// own client. In: nothing. Out: a client with the requests that tests send, and what the server said of each document.

import { spawn, type ChildProcess } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type Diagnostic,
  type InitializeResult,
  type Position,
  type ProtocolConnection,
  type PublishDiagnosticsParams,
} from "vscode-languageserver-protocol/node";
import { TextDocument } from "vscode-languageserver-textdocument";

export const root = resolve(import.meta.dirname, "../..");

/** Bundles the server where nobody else does; gives the file to run. */
export async function bundledServer(name: string): Promise<string> {
  const folder = join(root, `node_modules/.cache/${name}`);
  const { bundle } = (await import(pathToFileURL(join(root, "scripts/bundle.mjs")).href)) as {
    bundle: (names: readonly string[], outdir: string) => Promise<unknown>;
  };
  await bundle(["language-server"], folder);
  return join(folder, "language-server.js");
}

export interface Client {
  readonly connection: ProtocolConnection;
  readonly initialized: InitializeResult;
  readonly process: ChildProcess;
  /** Everything that the server wrote to its log, errors above all. */
  readonly log: string[];
  readonly published: PublishDiagnosticsParams[];
  /** Opens a document and gives its address. */
  open(name: string, text: string): string;
  /** Replaces the text between two offsets, or all of it. */
  edit(uri: string, text: string, start?: number, end?: number): void;
  close(uri: string): void;
  text(uri: string): string;
  /** Diagnostics of a document's present version, once they are there. */
  diagnostics(uri: string): Promise<readonly Diagnostic[]>;
  at(uri: string, offset: number): Position;
  request<R>(method: string, params: object): Promise<R>;
  stop(): Promise<void>;
}

export async function startClient(
  program: string,
  options: { readonly folder?: string; readonly initializationOptions?: object } = {},
): Promise<Client> {
  const child = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "pipe"] });
  const connection = createProtocolConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  const log: string[] = [];
  const published: PublishDiagnosticsParams[] = [];
  const waiting: (() => void)[] = [];
  child.stderr.on("data", (piece: Buffer) => log.push(piece.toString()));
  connection.onNotification(
    "window/logMessage",
    ({ message }: { message: string }) => void log.push(message),
  );
  connection.onNotification("textDocument/publishDiagnostics", (params: PublishDiagnosticsParams) => {
    published.push(params);
    for (const wake of waiting.splice(0)) wake();
  });
  connection.onRequest("client/registerCapability", () => null);
  connection.onRequest("workspace/inlayHint/refresh", () => null);
  connection.listen();
  const folder = options.folder ?? root;
  const initialized = await connection.sendRequest<InitializeResult>("initialize", {
    processId: process.pid,
    rootUri: null,
    capabilities: {},
    workspaceFolders: [{ uri: pathToFileURL(folder).href, name: "test" }],
    initializationOptions: options.initializationOptions ?? {},
  });
  await connection.sendNotification("initialized", {});
  const documents = new Map<string, TextDocument>();
  const documentOf = (uri: string): TextDocument => documents.get(uri)!;
  return {
    connection,
    initialized,
    process: child,
    log,
    published,
    open(name, text) {
      const uri = name.includes(":") ? name : pathToFileURL(join(folder, name)).href;
      documents.set(uri, TextDocument.create(uri, "moe", 1, text));
      void connection.sendNotification("textDocument/didOpen", {
        textDocument: { uri, languageId: "moe", version: 1, text },
      });
      return uri;
    },
    edit(uri, text, start, end) {
      const before = documentOf(uri);
      const range =
        start === undefined
          ? {}
          : { range: { start: before.positionAt(start), end: before.positionAt(end ?? start) } };
      const change = { ...range, text };
      const version = before.version + 1;
      documents.set(uri, TextDocument.update(before, [change], version));
      void connection.sendNotification("textDocument/didChange", {
        textDocument: { uri, version },
        contentChanges: [change],
      });
    },
    close(uri) {
      void connection.sendNotification("textDocument/didClose", { textDocument: { uri } });
      documents.delete(uri);
    },
    text: (uri) => documentOf(uri).getText(),
    async diagnostics(uri) {
      for (;;) {
        // The last said of the present text: the server tells which version it checked.
        const { version } = documentOf(uri);
        const found = published.findLast((each) => each.uri === uri && each.version === version);
        if (found !== undefined) return found.diagnostics;
        await new Promise<void>((wake) => waiting.push(wake));
      }
    },
    at: (uri, offset) => documentOf(uri).positionAt(offset),
    request: (method, params) => connection.sendRequest(method, params),
    async stop() {
      await connection.sendRequest("shutdown");
      await connection.sendNotification("exit");
      await new Promise((done) => child.once("exit", done));
      connection.dispose();
    },
  };
}
