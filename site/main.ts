// npm run docs: builds the site, and serves it. In: where to, and whether to serve.

import { Command } from "commander";
import { preview } from "vite";
import { buildSite } from "./build.ts";
import { deadLinks } from "./links.ts";

interface Options {
  readonly out: string;
  readonly port: string;
  readonly serve: boolean;
}

/** With these the site's playground may run models on several threads. */
const isolated = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

async function main({ out, port, serve }: Options): Promise<void> {
  const pages = await buildSite({ out });
  const dead = deadLinks(out, pages);
  for (const link of dead) console.error(`dead link: ${link}`);
  if (dead.length > 0) process.exitCode = 1;
  console.log(`${pages.length} pages in ${out}`);
  if (!serve) return;
  const server = await preview({
    configFile: false,
    build: { outDir: out },
    preview: { port: Number(port), headers: isolated },
  });
  server.printUrls();
}

await new Command("docs")
  .description("Builds the documentation as a site of static files, and serves it.")
  .option("--out <folder>", "where to", "dist-docs")
  .option("--port <n>", "where to serve it", "4321")
  .option("--no-serve", "build only")
  .action(main)
  .parseAsync();
