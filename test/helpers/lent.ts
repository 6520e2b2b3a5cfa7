// One session for several users, one after the other. In: a session. Out: the same, but that who disposes of it does not close it: its kernels
// are compiled once for all of them.

import type { Executor } from "../../runtime/executor.ts";

export const lent = (session: Executor): Executor =>
  new Proxy(session, {
    get: (target, key) => {
      if (key === "dispose") return () => undefined;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
