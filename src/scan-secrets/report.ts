/** Why a file, or a version of one in the history, was not looked at whole. */
export const SKIP_REASONS = {
  binary: 'binary, searched only for the secrets in use',
  tooLarge: 'larger than 2 MB',
  unreadable: 'could not be read',
  failed: 'the rules failed on it or took too long',
  notAFile: 'a link, a pipe or the like',
  missing: 'not in this clone of the repository',
  ignored: 'named by .secretlintignore',
  beyondLimits: 'beyond the limits of one scan',
} as const;

export type SkipReason = keyof typeof SKIP_REASONS;

/** Those that leave the question open whether there is a secret. The others are chosen, or the nature of the thing. */
const OPEN: readonly SkipReason[] = ['unreadable', 'failed', 'beyondLimits'];

/** Where a secret was found; never the secret itself, nor the line it stands on. */
export interface Finding {
  /** `tree`: in a file as it is now, or as it is staged. `history`: only in what was committed. */
  readonly where: 'tree' | 'history';
  /** Relative to the folder, with slashes; what in it is a secret itself is masked. */
  readonly path: string;
  /** The first commit that has it there, abbreviated; absent where none has. */
  readonly commit?: string;
  /** From 1; null in a binary file. */
  readonly line: number | null;
  readonly rule: string;
  readonly what: string;
}

export interface ScanReport {
  readonly findings: readonly Finding[];
  readonly filesScanned: number;
  /** Versions of files in the history, each content once. */
  readonly blobsScanned: number;
  readonly skipped: Readonly<Record<SkipReason, number>>;
  readonly history: 'scanned' | 'not asked for' | 'no repository' | 'not readable';
  /** Whether the clone holds only the newest part of the history. */
  readonly shallow: boolean;
  /** What an operator should know about what was looked at; sentences without a secret. */
  readonly notes: readonly string[];
  /** False where an error or a limit leaves it open whether there is more. */
  readonly complete: boolean;
}

/** What a scan counts as it goes. */
export class Tally {
  files = 0;
  blobs = 0;
  #broken = false;
  readonly notes: string[] = [];
  readonly #skipped: Record<SkipReason, number> = {
    binary: 0,
    tooLarge: 0,
    unreadable: 0,
    failed: 0,
    notAFile: 0,
    missing: 0,
    ignored: 0,
    beyondLimits: 0,
  };

  skip(reason: SkipReason, count = 1): void {
    this.#skipped[reason] += count;
  }

  /** An error kept a part from being looked at. */
  break(note: string): void {
    this.#broken = true;
    this.notes.push(note);
  }

  noteOnce(note: string): void {
    if (!this.notes.includes(note)) this.notes.push(note);
  }

  get skipped(): Readonly<Record<SkipReason, number>> {
    return { ...this.#skipped };
  }

  get complete(): boolean {
    return !this.#broken && OPEN.every((reason) => this.#skipped[reason] === 0);
  }
}
