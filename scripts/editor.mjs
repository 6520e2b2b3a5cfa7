// Builds the extension for VS Code and packs it: npm run editor writes dist-editor/moelang-VERSION.vsix. What it holds: the server and the
// extension, each one file with all that it needs, the TextMate grammar, snippets made from the same forms as completion, the icon.
// A .vsix is a zip file with a manifest; it is packed here, so that nothing has to be fetched.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { strToU8, zipSync } from "fflate";
import { icon } from "./icon.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = (name) => join(root, "editor/vscode", name);

const common = {
  bundle: true,
  platform: "node",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
  minify: true,
};

/** Bundles into a folder; gives the files of the extension by their paths in it. */
export async function extensionFiles() {
  const folder = mkdtempSync(join(tmpdir(), "moe-extension-"));
  try {
    await build({
      ...common,
      entryPoints: [source("extension.ts")],
      outfile: join(folder, "extension.js"),
      format: "cjs",
      external: ["vscode"],
    });
    await build({
      ...common,
      entryPoints: [join(root, "editor/server/main.ts")],
      outfile: join(folder, "language-server.mjs"),
      format: "esm",
      // Packages that ask for Node's modules in the old way.
      banner: {
        js: 'import { createRequire as $require } from "node:module"; const require = $require(import.meta.url);',
      },
    });
    // What is packed is in the old form of modules, which every version of the editor loads.
    const { type: _, private: __, ...about } = JSON.parse(readFileSync(source("package.json"), "utf8"));
    const texts = ["README.md", "language-configuration.json", "moe.tmLanguage.json"];
    return {
      ...Object.fromEntries(texts.map((name) => [name, readFileSync(source(name))])),
      "package.json": strToU8(`${JSON.stringify(about, null, 2)}\n`),
      "LICENSE.txt": readFileSync(join(root, "LICENSE")),
      "icon.png": icon(128),
      "snippets.json": strToU8(`${JSON.stringify(await snippets(), null, 2)}\n`),
      "dist/extension.js": readFileSync(join(folder, "extension.js")),
      "dist/language-server.mjs": readFileSync(join(folder, "language-server.mjs")),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Declarations only: inside of them completion knows better what fits. */
async function snippets() {
  const folder = mkdtempSync(join(tmpdir(), "moe-words-"));
  try {
    const outfile = join(folder, "words.mjs");
    await build({ ...common, entryPoints: [join(root, "editor/features/words.ts")], outfile, format: "esm" });
    const { declarationForms } = await import(pathToFileURL(outfile).href);
    return Object.fromEntries(
      declarationForms.map(({ word, snippet, doc }) => [
        word,
        { prefix: word, body: snippet.split("\n"), description: doc },
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

function manifest({ name, publisher, version, displayName, description, categories, keywords, engines }) {
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011" xmlns:d="http://schemas.microsoft.com/developer/vsx-schema-design/2011">
  <Metadata>
    <Identity Language="en-US" Id="${escape(name)}" Version="${escape(version)}" Publisher="${escape(publisher)}" />
    <DisplayName>${escape(displayName)}</DisplayName>
    <Description xml:space="preserve">${escape(description)}</Description>
    <Tags>${escape([...keywords, "__ext_moe", "moe"].join(","))}</Tags>
    <Categories>${escape(categories.join(","))}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${escape(engines.vscode)}" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace" />
    </Properties>
    <License>extension/LICENSE.txt</License>
    <Icon>extension/icon.png</Icon>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code" />
  </Installation>
  <Dependencies />
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Icons.Default" Path="extension/icon.png" Addressable="true" />
  </Assets>
</PackageManifest>
`;
}

const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension=".json" ContentType="application/json" /><Default Extension=".vsixmanifest" ContentType="text/xml" /><Default Extension=".md" ContentType="text/markdown" /><Default Extension=".txt" ContentType="text/plain" /><Default Extension=".png" ContentType="image/png" /><Default Extension=".js" ContentType="application/javascript" /><Default Extension=".mjs" ContentType="application/javascript" /></Types>
`;

/** The bytes of the .vsix, the same for the same sources. */
export function pack(files) {
  const about = JSON.parse(Buffer.from(files["package.json"]).toString("utf8"));
  const entries = {
    "extension.vsixmanifest": strToU8(manifest(about)),
    "[Content_Types].xml": strToU8(contentTypes),
    ...Object.fromEntries(
      Object.entries(files).map(([path, bytes]) => [`extension/${path}`, new Uint8Array(bytes)]),
    ),
  };
  return zipSync(entries, { level: 9, mtime: new Date(1980, 0, 1) });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await extensionFiles();
  const { name, version } = JSON.parse(Buffer.from(files["package.json"]).toString("utf8"));
  const path = join(root, "dist-editor", `${name}-${version}.vsix`);
  mkdirSync(dirname(path), { recursive: true });
  const bytes = pack(files);
  writeFileSync(path, bytes);
  console.log(`${path}: ${(bytes.length / 1000).toFixed(1)} kB`);
}
