import { type FileHandle, open, rename } from 'node:fs/promises';
import type { ChainHead } from './entry.ts';
import { plainHeads } from './heads.ts';
import { HEADS_MESSAGE } from './parse-anchor.ts';

/** Beyond it the file becomes `FILE.1`, in place of an older one, and a new one begins with all heads. */
const MAX_BYTES = 10 * 1024 * 1024;
const NEWLINE = 0x0a;

/** In the data folder. */
export const HEADS_FILE = 'audit-heads.jsonl';

export interface HeadsFileOptions {
  readonly file: string;
  /** Name of the SQLite file whose heads they are; `undefined`: PostgreSQL. */
  readonly store?: string | undefined;
  /** Once, until a write succeeds again. */
  readonly onFault: (error: unknown) => void;
  /** Default: 10 MB. */
  readonly maxBytes?: number;
}

/** Keeps the heads of the audit chains where no flood of log lines rotates them away: JSON lines for `parseAnchor`. */
export class HeadsFile {
  readonly #options: HeadsFileOptions;
  /** The last head written of each chain. */
  #written = new Map<string, string>();
  #isWriting = false;
  #isFaulty = false;

  constructor(options: HeadsFileOptions) {
    this.#options = options;
  }

  /** Appends those that have changed. Never rejects; while an earlier call has yet to end it does nothing.
   * @param at epoch milliseconds */
  async write(heads: readonly ChainHead[], at: number): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      await this.#append(heads, at);
      this.#isFaulty = false;
    } catch (error) {
      if (!this.#isFaulty) this.#options.onFault(error);
      this.#isFaulty = true;
    } finally {
      this.#isWriting = false;
    }
  }

  async #append(heads: readonly ChainHead[], at: number): Promise<void> {
    const { file, store, maxBytes = MAX_BYTES } = this.#options;
    let handle = await openToAppend(file);
    try {
      let { size } = await handle.stat();
      if (size >= maxBytes) {
        await handle.close();
        await rename(file, `${file}.1`);
        handle = await openToAppend(file);
        size = 0;
      }
      const changed = heads.filter((head) => size === 0 || this.#written.get(head.writer) !== nameOf(head));
      if (changed.length === 0) return;
      const time = new Date(at).toISOString();
      const line = JSON.stringify({ time, msg: HEADS_MESSAGE, store, heads: plainHeads(changed) });
      await handle.appendFile(`${(await isTorn(handle, size)) ? '\n' : ''}${line}\n`);
      await handle.datasync();
      this.#written = new Map(heads.map((head) => [head.writer, nameOf(head)]));
    } finally {
      await handle.close();
    }
  }
}

function openToAppend(file: string): Promise<FileHandle> {
  return open(file, 'a+', 0o600);
}

/** A kill or a full disk has cut off the last line. */
async function isTorn(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== NEWLINE;
}

function nameOf({ seq, hash }: ChainHead): string {
  return `${seq} ${hash}`;
}
