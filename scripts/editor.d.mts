/** Files of the extension by their paths in it. */
export function extensionFiles(): Promise<Record<string, Uint8Array>>;
/** The bytes of the .vsix. */
export function pack(files: Readonly<Record<string, Uint8Array>>): Uint8Array;
