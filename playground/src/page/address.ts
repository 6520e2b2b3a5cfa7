// The page's address holds what is on it, so that loading it again changes nothing and a link says everything. In: the state, when it
// changes. Out: the address, not at every key: browsers refuse that.

import { longestText } from "../messages.ts";
import { copied } from "./dom.ts";
import { toLink, type State } from "./state.ts";

export interface Address {
  /** Something has changed. */
  remember(): void;
  /** Gives the link away; what there is to say of it. */
  share(tell: (text: string) => void): void;
}

const addressOf = (link: string): string =>
  `${location.pathname}${location.search}${link === "" ? "" : `#${link}`}`;

/** `text`: what is being written; too long a one has no link. */
export function keepAddress(state: () => State, text: () => string): Address {
  let soon: ReturnType<typeof setTimeout> | undefined;
  const write = (): void => history.replaceState(null, "", addressOf(toLink(state())));
  return {
    remember() {
      clearTimeout(soon);
      soon = setTimeout(() => {
        if (text().length <= longestText) write();
      }, 700);
    },
    share(tell) {
      if (text().length > longestText) return tell("This text is too long for a link.");
      write();
      tell("The link is the address of this page now.");
      void copied(location.href).then((done) => done && tell("The link is copied."));
    },
  };
}
