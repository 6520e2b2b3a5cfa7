// Elements: a short way to make and find them. In: tags, properties, children. Out: elements. Text is always text, never markup.

type Child = Node | string;

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Readonly<Record<string, string | boolean | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function find<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`internal: the page has no #${id}`);
  return found as Kind;
}

export const option = (value: string, title: string): HTMLOptionElement => make("option", { value }, title);

/** Whether it could be copied: pages without https, and browsers that ask, may refuse. */
export const copied = async (text: string): Promise<boolean> => {
  const { clipboard } = navigator as { readonly clipboard?: Clipboard };
  return (
    clipboard?.writeText(text).then(
      () => true,
      () => false,
    ) ?? false
  );
};

/** Runs at most once a frame, with what was said last. */
export function eachFrame(act: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      act();
    });
  };
}
