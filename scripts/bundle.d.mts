import type { Metafile } from "esbuild";

export declare const entryPoints: Readonly<Record<string, string>>;
/** Bundles entry points by name; gives esbuild's list of what went into which file. */
export declare function bundle(names: readonly string[], outdir: string): Promise<Metafile>;
/** Files that a bundled entry loads at once, itself first. */
export declare function loadedBy(metafile: Metafile, output: string): string[];
/** The licences of the packages whose code went into the files, as one text. */
export declare function licencesIn(metafile: Metafile): string;
