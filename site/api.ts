// The API from its docstrings. In: the package's entry points, as TypeScript. Out: a page for each: every exported name with its signature
// and what its docstring says. What another entry point exports too is listed there only.

import { Node, Project, type ExportedDeclarations, type JSDocableNode } from "ts-morph";
import { escapeText } from "../cli/report/html.ts";
import { prose } from "./gallery.ts";
import type { Heading, Section } from "./markdown.ts";
import type { SitePage } from "./page.ts";

/** What is imported, its file, its page. The runtime first: the package's main entry exports all of it again. */
const entryPoints: readonly (readonly [string, string, string])[] = [
  ["moelang/runtime", "runtime/index.ts", "api/runtime.html"],
  ["moelang/runtime/node", "runtime/node.ts", "api/runtime-node.html"],
  ["moelang/prettier", "grammar/prettier.ts", "api/prettier.html"],
  ["moelang", "index.ts", "api/index.html"],
];

export function apiPages(): readonly SitePage[] {
  const project = new Project({ tsConfigFilePath: "tsconfig.json", skipAddingFilesFromTsConfig: true });
  const seen = new Set<Node>();
  const pages = entryPoints.map(([name, file, address]) => {
    const source = project.addSourceFileAtPath(file);
    const exported = [...source.getExportedDeclarations()]
      .flatMap(([as, [declaration]]) =>
        declaration === undefined || seen.has(declaration) ? [] : [{ as, declaration }],
      )
      .sort((a, b) => rank(a.declaration) - rank(b.declaration) || (a.as < b.as ? -1 : 1));
    for (const { declaration } of exported) seen.add(declaration);
    return apiPage(name, address, exported);
  });
  return pages.sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** Functions and classes before data, data before types. */
const rank = (node: Node): number =>
  Node.isFunctionDeclaration(node) || isArrow(node)
    ? 0
    : Node.isClassDeclaration(node)
      ? 1
      : Node.isVariableDeclaration(node)
        ? 2
        : 3;

const isArrow = (node: Node): boolean =>
  Node.isVariableDeclaration(node) && Node.isArrowFunction(node.getInitializer());

function apiPage(
  name: string,
  address: string,
  exported: readonly { readonly as: string; readonly declaration: ExportedDeclarations }[],
): SitePage {
  const headings: Heading[] = [];
  const sections: Section[] = [];
  const items = exported.map(({ as, declaration }) => {
    const docs = docsOf(declaration);
    headings.push({ depth: 2, id: as, text: as });
    sections.push({ id: as, title: as, text: docs });
    const paragraphs = docs
      .split(/\n\s*\n/)
      .filter((text) => text !== "")
      .map((text) => `<p>${prose(text)}</p>`);
    return `<h2 id="${as}" class="api">${as}</h2>\n${paragraphs.join("\n")}\n<pre><code>${escapeText(signatureOf(declaration, as))}</code></pre>`;
  });
  const others = entryPoints
    .filter(([, , other]) => other !== address)
    .map(([other, , at]) => `<a href="${at.replace("api/", "")}"><code>${other}</code></a>`);
  return {
    address,
    title: `API: ${name}`,
    group: "API",
    html: `<h1><code>${name}</code></h1>\n<p class="lead">What <code>import { ... } from "${name}"</code> offers. Other entry points: ${others.join(", ")}.${name === "moelang" ? " This one exports the runtime again." : ""}</p>\n${items.join("\n")}`,
    headings,
    sections,
    summary: `Exports of ${name}`,
  };
}

function docsOf(node: ExportedDeclarations): string {
  const owner: Node | undefined = Node.isVariableDeclaration(node) ? node.getVariableStatement() : node;
  if (owner === undefined || !("getJsDocs" in owner)) return "";
  return (owner as unknown as JSDocableNode)
    .getJsDocs()
    .map((doc) => doc.getDescription().trim())
    .join("\n\n");
}

/** Under the name that it is exported by. */
function signatureOf(node: ExportedDeclarations, as: string): string {
  if (Node.isFunctionDeclaration(node))
    return headOf(node.getText(), node.getBody()?.getText()).replace(
      `function ${node.getName()}`,
      `function ${as}`,
    );
  if (Node.isClassDeclaration(node)) return classText(node);
  if (Node.isVariableDeclaration(node)) {
    const value = node.getInitializer();
    if (Node.isArrowFunction(value))
      return `const ${as} = ${headOf(value.getText(), value.getBody().getText())}`.replace(/ =>$/, "");
    return `const ${as}: ${node.getTypeNode()?.getText() ?? node.getType().getText(node)}`;
  }
  return Node.isSourceFile(node) ? `type * as ${as}` : node.getText().replace(/^export /, "");
}

/** Without the body. */
const headOf = (text: string, body: string | undefined): string =>
  (body === undefined ? text : text.slice(0, text.length - body.length)).replace(/^export /, "").trim();

function classText(node: Node): string {
  if (!Node.isClassDeclaration(node)) return "";
  const members = node
    .getMembers()
    .filter(
      (member) => !/^(#|private\b|protected\b)/.test(member.getText()) && !member.getText().startsWith("#"),
    )
    .filter((member) => !Node.isConstructorDeclaration(member))
    .map((member) => {
      const body =
        "getBody" in member ? (member as unknown as { getBody(): Node | undefined }).getBody() : undefined;
      const docs = Node.isJSDocable(member)
        ? member
            .getJsDocs()
            .map((doc) => `  ${doc.getText().replaceAll(/\n\s*/g, "\n   ")}\n`)
            .join("")
        : "";
      return `${docs}  ${headOf(member.getText(), body?.getText()).replace(/ =>$/, "")};`;
    });
  return `class ${node.getName() ?? ""} {\n${members.join("\n")}\n}`;
}
