import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The file was deleted, moved or replaced while it was open. */
export class FileGone extends Error {
  constructor() {
    super('the file or its write-ahead log was deleted, moved or replaced while it was open');
  }
}

/** Two small system calls, beside the sync of a commit nothing. */
export class FilePlace {
  /** Of the file itself, whichever link leads to it. */
  readonly folder: string;
  readonly #file: string;
  readonly #log: string;
  readonly #fileId: string | undefined;
  /** Known from the first look on: the log may be made by the first transaction only. It then stays as long as it is open. */
  #logId: string | undefined;

  /** To be made while the file is open. */
  constructor(file: string) {
    // SQLite puts its log beside the file that links lead to.
    this.#file = realpathSync(file);
    this.folder = dirname(this.#file);
    this.#log = `${this.#file}-wal`;
    this.#fileId = identify(this.#file);
  }

  /** To be called after a transaction. @throws FileGone */
  check(): void {
    const logId = identify(this.#log);
    this.#logId ??= logId;
    if (logId === undefined || logId !== this.#logId || identify(this.#file) !== this.#fileId) throw new FileGone();
  }
}

/** `undefined`: there is none. */
function identify(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}
