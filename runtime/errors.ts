// Mistakes that a user can mend: a missing file, a damaged checkpoint, a corpus that is too short. In: a code
// (error-codes.ts), one sentence, and what to do. Out: an error that the command line prints as `error[R0101]: ...` with a
// `= help: ...` line, never with a stack trace. Our own mistakes are not this class: they are `Error("internal: ...")`.

export interface UserErrorDetails {
  /** What to do, in one imperative sentence. */
  readonly help?: string;
  /** The file that the mistake is in, as the user wrote or would write it. */
  readonly file?: string;
  /** One-based line in that file. */
  readonly line?: number;
}

export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: string;
  readonly help?: string;
  readonly file?: string;
  readonly line?: number;

  constructor(code: string, message: string, details: UserErrorDetails = {}) {
    super(message);
    this.code = code;
    if (details.help !== undefined) this.help = details.help;
    if (details.file !== undefined) this.file = details.file;
    if (details.line !== undefined) this.line = details.line;
  }
}
