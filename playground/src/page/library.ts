// Modules of the standard library, to read, in the place of the editor. In: where somebody wants to go. Out: the editor with that place
// selected, or a reader that cannot be typed into, with a way back.

import { openReader, type Editor, type Reader } from "../editor/editor.ts";
import { mainPath, type Defined } from "../messages.ts";
import type { LanguageClient } from "./clients.ts";
import { find } from "./dom.ts";

type Reading = Defined & { readonly text: string };

export interface Library {
  /** `stay`: what has the focus keeps it. */
  go(to: Defined, stay?: boolean): void;
  /** Back to the editor. */
  close(): void;
  /** The module that is shown. */
  reading(): Reading | undefined;
}

export function openLibrary(editor: () => Editor, language: LanguageClient): Library {
  let reader: Reader | undefined;
  let reading: Reading | undefined;

  /** Everything of one of the two is hidden while the other is there. */
  function turn(toLibrary: boolean, title: string): void {
    for (const id of ["editor", "format"]) find(id).hidden = toLibrary;
    find("hints").parentElement!.hidden = toLibrary;
    for (const id of ["library", "back"]) find(id).hidden = !toLibrary;
    find("where").textContent = title;
  }
  function close(): void {
    if (find("library").hidden) return;
    reading = undefined;
    turn(false, mainPath);
    find("editor").querySelector<HTMLElement>(".cm-content")?.focus();
  }
  function go(to: Defined, stay = false): void {
    if (to.path === mainPath) {
      close();
      return editor().select(to.from, to.to);
    }
    if (to.text === undefined) return;
    reader ??= openReader(find("library"), language, { go: (next) => go(next), close });
    turn(true, `${to.path} · read only`);
    reading = { ...to, text: to.text };
    reader.open(reading, stay);
  }
  return { go, close, reading: () => reading };
}
