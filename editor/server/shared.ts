// What the handlers of the server share: the connection, the modules, the compiler, what the editor can do; and the guard around
// each of them. In: nothing. Out: types and one function. Node only.

import { ResponseError, type Connection } from "vscode-languageserver";
import type { Checks } from "./checks.ts";
import type { Compiler } from "./compiler.ts";
import type { Workspace } from "./workspace.ts";

/** What the handlers share. */
export interface Server {
  readonly connection: Connection;
  readonly workspace: Workspace;
  readonly compiler: Compiler;
  readonly checks: Checks;
  readonly client: Client;
}

/** What the editor at the other end can do. */
export interface Client {
  /** Shows documents of the scheme `moe-std`. */
  stdDocuments: boolean;
  /** Knows the commands of the extension. */
  commands: boolean;
  refreshesHints: boolean;
  watchesFiles: boolean;
  /** Tells of folders that come and go. */
  folders: boolean;
}

/** An answer that is never an error of ours: those are logged, and `otherwise` is answered. */
export function guarded<P extends unknown[], R>(
  { connection }: Pick<Server, "connection">,
  what: string,
  otherwise: R,
  answer: (...given: P) => R | Promise<R>,
): (...given: P) => Promise<R> {
  return async (...given) => {
    try {
      return await answer(...given);
    } catch (error) {
      // What the user is to be told.
      if (error instanceof ResponseError) throw error;
      connection.console.error(
        `internal: ${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      return otherwise;
    }
  };
}
