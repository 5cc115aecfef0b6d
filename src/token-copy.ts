import { randomBytes } from 'node:crypto';
import { chownSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { errnoCode } from './config/read-text-file.ts';
import type { Secret } from './config/secret.ts';
import { fitBook, parseTokenBook, type TokenBook } from './instantly/token-book.ts';

/** The record of the rotated tokens as this machine has seen it last: beside the spill, or beside the SQLite file. */
export class TokenCopy {
  readonly #file: string;
  readonly #logger: Pick<Logger, 'warn'>;
  #kept = '';

  /** In the data folder. */
  static fileIn(dataDir: string): string {
    return join(dataDir, 'rotated-tokens.json');
  }

  constructor(file: string, logger: Pick<Logger, 'warn'>) {
    this.#file = file;
    this.#logger = logger;
  }

  /** @returns `undefined` where there is none, or none that can be read */
  read(auditKey: Secret): TokenBook | undefined {
    try {
      return fitBook(parseTokenBook(readFileSync(this.#file, 'utf8')), auditKey);
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT')
        this.#logger.warn({ err: error }, "this machine's copy of the record of the rotated tokens cannot be read");
      return undefined;
    }
  }

  keep(book: TokenBook): void {
    const text = JSON.stringify(book);
    if (text === this.#kept) return;
    const draft = `${this.#file}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
      const { uid, gid } = statSync(dirname(this.#file));
      // A command that root runs; the receiver has to read it.
      if (process.getuid?.() === 0) chownSync(draft, uid, gid);
      renameSync(draft, this.#file);
      this.#kept = text;
    } catch (error) {
      rmSync(draft, { force: true });
      this.#logger.warn({ err: error }, 'the record of the rotated tokens could not be kept on this machine');
    }
  }
}
