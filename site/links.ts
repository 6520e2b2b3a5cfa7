// Links inside the site. In: the folder that it was built into, its pages. Out: those that lead nowhere.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { playgroundAt } from "./live.ts";
import type { SitePage } from "./page.ts";

/** `page: link`; an address without a file, or a fragment that no element has. */
export function deadLinks(out: string, pages: readonly SitePage[]): readonly string[] {
  const ids = new Map<string, ReadonlySet<string>>();
  const idsOf = (path: string): ReadonlySet<string> => {
    let found = ids.get(path);
    if (found === undefined) {
      const text = readFileSync(path, "utf8");
      ids.set(path, (found = new Set([...text.matchAll(/\bid="([^"]*)"/g)].map((match) => match[1]!))));
    }
    return found;
  };
  return pages.flatMap(({ address }) => {
    const html = readFileSync(join(out, address), "utf8");
    return [...html.matchAll(/\b(?:href|src)="([^"]*)"/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link!)) return [];
      const [file = "", fragment] = link!.split("#");
      const target = file === "" ? join(out, address) : join(out, dirname(address), file);
      if (!existsSync(target)) return [`${address}: ${link}`];
      // What stands behind the # of the playground is its state.
      if (file.endsWith(playgroundAt)) return [];
      return fragment === undefined || idsOf(target).has(decodeURIComponent(fragment))
        ? []
        : [`${address}: ${link}`];
    });
  });
}
