// The language server as a program: `moe-language-server --stdio`. The same file is the worker that it starts for checking, so that
// wherever it is installed or packed the two are of one version. Node only.

import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  const { serve } = await import("./serve.ts");
  serve(new URL(import.meta.url));
} else await import("./worker.ts");
