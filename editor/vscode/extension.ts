// The extension: starts the language server, shows texts of the standard library, and runs two commands of `moe`: a drawing beside
// the text, drawn again when the file is saved, and training, whose report is shown when it ends. Runs in the editor's Node.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as vscode from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import { drawingArguments, freeRunFolder, installedFor, serverFor, trainingArguments } from "./project.ts";

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel("moe", { log: true });
  context.subscriptions.push(
    output,
    vscode.workspace.registerTextDocumentContentProvider("moe-std", {
      provideTextDocumentContent: async (uri) =>
        (await client?.sendRequest<string | null>("moe/moduleText", { uri: uri.toString(true) })) ?? "",
    }),
    vscode.commands.registerCommand("moe.openDrawing", (uri?: unknown, model?: unknown) =>
      openDrawing(context, uri, model),
    ),
    vscode.commands.registerCommand("moe.train", (uri?: unknown, model?: unknown) => train(uri, model)),
    vscode.commands.registerCommand("moe.restartServer", () => restart(context, output)),
    // Now the project's own server may be run.
    vscode.workspace.onDidGrantWorkspaceTrust(() => restart(context, output)),
  );
  await start(context, output);
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}

async function restart(context: vscode.ExtensionContext, output: vscode.LogOutputChannel): Promise<void> {
  await client?.stop();
  await start(context, output);
}

async function start(context: vscode.ExtensionContext, output: vscode.LogOutputChannel): Promise<void> {
  const folders = (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => join(uri.fsPath, "any.moe"));
  const open = vscode.window.activeTextEditor?.document.uri;
  const places = [...(open?.scheme === "file" ? [open.fsPath] : []), ...folders];
  const setting = vscode.workspace.getConfiguration("moe").get<string>("server.path", "");
  const bundled = context.asAbsolutePath("dist/language-server.mjs");
  const { file, from } = serverFor(places, bundled, { trusted: vscode.workspace.isTrusted, setting });
  output.info(`language server of ${from}: ${file}`);
  const run = { module: file, transport: TransportKind.stdio };
  client = new LanguageClient(
    "moe",
    "moe",
    { run, debug: run },
    {
      documentSelector: [
        { language: "moe", scheme: "file" },
        { language: "moe", scheme: "untitled" },
        { language: "moe", scheme: "moe-std" },
      ],
      initializationOptions: { stdDocuments: true, commands: true },
      outputChannel: output,
    },
  );
  await client.start();
}

/** The file that a command is about: the one that was named, or the one in front. Saved before anything reads it. */
async function fileOf(uri: unknown): Promise<string | undefined> {
  const named = typeof uri === "string" ? vscode.Uri.parse(uri) : uri instanceof vscode.Uri ? uri : undefined;
  const document =
    named === undefined
      ? vscode.window.activeTextEditor?.document
      : await vscode.workspace.openTextDocument(named);
  if (document === undefined || document.languageId !== "moe" || document.uri.scheme !== "file") {
    void vscode.window.showErrorMessage("moe: open a .moe file that is saved on the disk");
    return undefined;
  }
  if (document.isDirty) await document.save();
  return document.uri.fsPath;
}

function commandFor(file: string): string | undefined {
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showErrorMessage("moe: trust this folder first, to run the project's own moelang");
    return undefined;
  }
  const installed = installedFor(file);
  if (installed === undefined)
    void vscode.window.showErrorMessage(
      "moe: this project has no moelang: install it with `npm install moelang`",
    );
  return installed?.command;
}

/** This editor's own Node runs the command, so that none has to be installed. */
const environment = { ...process.env, ELECTRON_RUN_AS_NODE: "1" };

/** A page of `moe` in a tab; it brings its own scripts and needs no files. */
function panelFor(kind: string, title: string): vscode.WebviewPanel {
  const place = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
  return vscode.window.createWebviewPanel(kind, title, place, {
    enableScripts: true,
    localResourceRoots: [],
  });
}

const drawings = new Map<string, vscode.WebviewPanel>();

async function openDrawing(context: vscode.ExtensionContext, uri: unknown, model: unknown): Promise<void> {
  const file = await fileOf(uri);
  const command = file === undefined ? undefined : commandFor(file);
  if (file === undefined || command === undefined) return;
  const asked = typeof model === "string" ? model : undefined;
  const key = `${file}#${asked ?? ""}`;
  const before = drawings.get(key);
  if (before !== undefined) {
    before.reveal();
    return draw(before, command, file, asked);
  }
  const panel = panelFor("moe.drawing", `${asked ?? "Model"}: drawing`);
  drawings.set(key, panel);
  const saved = vscode.workspace.onDidSaveTextDocument((document) => {
    if (document.languageId === "moe") void draw(panel, command, file, asked);
  });
  panel.onDidDispose(() => {
    drawings.delete(key);
    saved.dispose();
  });
  context.subscriptions.push(panel);
  await draw(panel, command, file, asked);
}

function draw(
  panel: vscode.WebviewPanel,
  command: string,
  file: string,
  model: string | undefined,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "moe-drawing-"));
  const page = join(folder, "drawing.html");
  const list = [command, ...drawingArguments(file, page, model)];
  return new Promise((done) => {
    execFile(process.execPath, list, { cwd: dirname(file), env: environment }, (error, _, stderr) => {
      try {
        panel.webview.html =
          error === null ? readFileSync(page, "utf8") : messagePage(stderr || error.message);
      } catch {
        // The tab was closed while it was being drawn.
      } finally {
        rmSync(folder, { recursive: true, force: true });
        done();
      }
    });
  });
}

const messagePage = (text: string): string =>
  `<!doctype html><meta charset="utf-8"><pre style="white-space: pre-wrap">${text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")}</pre>`;

async function train(uri: unknown, model: unknown): Promise<void> {
  const file = await fileOf(uri);
  const command = file === undefined ? undefined : commandFor(file);
  if (file === undefined || command === undefined) return;
  const folder = freeRunFolder(file);
  const list = trainingArguments(file, folder, typeof model === "string" ? model : undefined);
  const run = new vscode.ProcessExecution(process.execPath, [command, ...list], {
    cwd: dirname(file),
    env: { ELECTRON_RUN_AS_NODE: "1" },
  });
  const task = new vscode.Task({ type: "moe" }, vscode.TaskScope.Workspace, `train ${folder}`, "moe", run);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, panel: vscode.TaskPanelKind.Dedicated };
  const execution = await vscode.tasks.executeTask(task);
  const ended = vscode.tasks.onDidEndTaskProcess((event) => {
    if (event.execution !== execution) return;
    ended.dispose();
    // A run that was interrupted has a report up to there.
    const report = join(dirname(file), folder, "report.html");
    if (existsSync(report))
      panelFor("moe.report", `${folder}: report`).webview.html = readFileSync(report, "utf8");
    else if (event.exitCode === 0)
      void vscode.window.showErrorMessage(`moe: the run left no report at ${report}`);
  });
}
