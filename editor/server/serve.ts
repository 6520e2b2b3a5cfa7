// The server: messages of the protocol to features and back. In: a connection over standard streams or what the editor chose. Out: it
// answers until the editor leaves. Every request is guarded: an error of ours is logged and answered with nothing. Node only.

import {
  CodeActionKind,
  createConnection,
  DidChangeWatchedFilesNotification,
  FileChangeType,
  ProposedFeatures,
  TextDocuments,
  TextDocumentSyncKind,
  type InitializeParams,
  type ServerCapabilities,
  type WorkspaceFolder,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { version } from "../../cli/version.ts";
import { tokenModifiers, tokenTypes } from "../features/semantic.ts";
import { Checks } from "./checks.ts";
import { Compiler } from "./compiler.ts";
import { pathOf } from "./files.ts";
import { answerActions } from "./answers-actions.ts";
import { answerNavigation } from "./answers-navigation.ts";
import { answerReading } from "./answers-reading.ts";
import { answerWriting } from "./answers-writing.ts";
import type { Client, Server } from "./shared.ts";
import { Workspace } from "./workspace.ts";

const capabilities: ServerCapabilities = {
  textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: false },
  completionProvider: { triggerCharacters: [".", "{", "(", ",", " ", '"', "/"] },
  signatureHelpProvider: { triggerCharacters: ["(", "{", ","], retriggerCharacters: [")", "}"] },
  hoverProvider: true,
  definitionProvider: true,
  referencesProvider: true,
  documentHighlightProvider: true,
  documentSymbolProvider: true,
  workspaceSymbolProvider: true,
  renameProvider: { prepareProvider: true },
  documentFormattingProvider: true,
  foldingRangeProvider: true,
  inlayHintProvider: true,
  codeActionProvider: {
    codeActionKinds: [
      CodeActionKind.QuickFix,
      CodeActionKind.SourceFixAll,
      CodeActionKind.SourceOrganizeImports,
    ],
  },
  codeLensProvider: {},
  semanticTokensProvider: {
    legend: { tokenTypes: [...tokenTypes], tokenModifiers: [...tokenModifiers] },
    full: true,
    range: true,
  },
  workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
};

/** `entry`: the file that starts the worker, which is the one that started this. */
export function serve(entry: URL): void {
  // An editor that says nothing of the transport talks over standard streams.
  if (!process.argv.some((each) => /^--(stdio|node-ipc|socket|pipe)\b/.test(each)))
    process.argv.push("--stdio");
  const connection = createConnection(ProposedFeatures.all);
  const workspace = new Workspace();
  const compiler = new Compiler(entry, (message) => connection.console.warn(message));
  const client: Client = {
    stdDocuments: false,
    commands: false,
    refreshesHints: false,
    watchesFiles: false,
    folders: false,
  };
  const checks = new Checks(connection, workspace, compiler, client);
  const server: Server = { connection, workspace, compiler, checks, client };
  const documents = new TextDocuments(TextDocument);

  connection.onInitialize((params) => {
    readClient(params, client);
    workspace.folders = foldersOf(params.workspaceFolders ?? []);
    return { capabilities, serverInfo: { name: "moe", version } };
  });
  connection.onInitialized(() => {
    if (client.folders)
      connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        const gone = new Set(foldersOf(removed));
        workspace.folders = [...workspace.folders.filter((each) => !gone.has(each)), ...foldersOf(added)];
        workspace.changed();
      });
    if (client.watchesFiles)
      void connection.client.register(DidChangeWatchedFilesNotification.type, {
        watchers: [{ globPattern: "**/*.moe" }],
      });
  });
  documents.onDidOpen(({ document }) => workspace.opened(document));
  documents.onDidChangeContent(({ document }) => {
    workspace.opened(document);
    checks.changed(pathOf(document.uri));
  });
  documents.onDidClose(({ document }) => {
    workspace.closed(document.uri);
    checks.closed(pathOf(document.uri));
  });
  connection.onDidChangeWatchedFiles(({ changes }) => {
    workspace.changed();
    for (const { uri, type } of changes)
      if (type !== FileChangeType.Created) checks.changedBeside(pathOf(uri));
    if (changes.some(({ type }) => type === FileChangeType.Created)) checks.all();
  });
  connection.onShutdown(() => compiler.stop());

  answerReading(server);
  answerNavigation(server);
  answerWriting(server);
  answerActions(server);
  documents.listen(connection);
  connection.listen();
}

/** Folders on the disk, by path. */
const foldersOf = (folders: readonly WorkspaceFolder[]): readonly string[] =>
  folders.filter(({ uri }) => uri.startsWith("file:")).map(({ uri }) => pathOf(uri));

function readClient({ capabilities: can, initializationOptions }: InitializeParams, client: Client): void {
  const options = (initializationOptions ?? {}) as Partial<Record<"stdDocuments" | "commands", unknown>>;
  client.stdDocuments = options.stdDocuments === true;
  client.commands = options.commands === true;
  client.refreshesHints = can.workspace?.inlayHint?.refreshSupport === true;
  client.folders = can.workspace?.workspaceFolders === true;
  client.watchesFiles = can.workspace?.didChangeWatchedFiles?.dynamicRegistration === true;
}
