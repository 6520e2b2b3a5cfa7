// Writes stdlib/sources.ts from stdlib/*.moe, so that the compiler has the standard library in a page as well.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

export function stdlibSources() {
  const files = readdirSync("stdlib")
    .filter((file) => file.endsWith(".moe"))
    .sort();
  const entries = files.map((file) => {
    const text = readFileSync(`stdlib/${file}`, "utf8");
    return `  "std.${file.slice(0, -4)}": ${JSON.stringify(text)},\n`;
  });
  return `// Made by scripts/stdlib.mjs from stdlib/*.moe. Do not edit.\n\n/** Texts of the standard library's modules, by import path. */\nexport const stdlib: Readonly<Record<string, string>> = {\n${entries.join("")}};\n`;
}

if (process.argv[1]?.endsWith("stdlib.mjs")) writeFileSync("stdlib/sources.ts", stdlibSources());
