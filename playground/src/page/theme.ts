// Theme: as the system says, light, or dark. In: clicks, or what the page says in which this one lies. Out: `data-theme` of the page; those
// who draw hear of it.

const orders = ["auto", "light", "dark"] as const;
type Choice = (typeof orders)[number];

const words: Readonly<Record<Choice, string>> = { auto: "as the system", light: "light", dark: "dark" };
const signs: Readonly<Record<Choice, string>> = { auto: "◐", light: "☀", dark: "☾" };
const place = "moe-playground-theme";

/** Storage may be switched off. */
function remembered(): Choice {
  try {
    return orders.find((each) => each === localStorage.getItem(place)) ?? "auto";
  } catch {
    return "auto";
  }
}

/** `given`: what another page says, in which this one lies, and goes on saying by messages `{ theme }`; remembered otherwise. */
export function followTheme(
  button: HTMLButtonElement,
  changed: () => void,
  given: string | null = null,
): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = orders.find((each) => each === given) ?? remembered();
  const show = (): void => {
    const theme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    document.documentElement.dataset["theme"] = theme;
    button.textContent = signs[choice];
    button.setAttribute("aria-label", `Theme: ${words[choice]}`);
    button.title = `Theme: ${words[choice]}`;
    changed();
  };
  system.addEventListener("change", show);
  if (given !== null)
    addEventListener("message", ({ origin, data }: MessageEvent<{ readonly theme?: unknown } | null>) => {
      const said = origin === location.origin ? orders.find((each) => each === data?.theme) : undefined;
      if (said === undefined) return;
      choice = said;
      show();
    });
  button.addEventListener("click", () => {
    choice = orders[(orders.indexOf(choice) + 1) % orders.length]!;
    try {
      localStorage.setItem(place, choice);
    } catch {
      // Then it is forgotten with the page.
    }
    show();
  });
  show();
}
