import { Connection } from './connection.ts';
import { SnapshotReader } from './read-audit.ts';

/** Each keeps the write-ahead log from being emptied while it is open. */
const MAX_OPEN = 4;

/** Views of the file as it stood when each was opened, by number. */
export class Snapshots {
  readonly #file: string;
  readonly #open = new Map<number, SnapshotReader>();
  #last = 0;

  constructor(file: string) {
    this.#file = file;
  }

  open(): number {
    if (this.#open.size >= MAX_OPEN) throw new Error('too many snapshots are open');
    this.#last += 1;
    this.#open.set(this.#last, new SnapshotReader(new Connection(this.#file)));
    return this.#last;
  }

  get(id: number): SnapshotReader {
    const snapshot = this.#open.get(id);
    if (snapshot === undefined) throw new Error('that snapshot is closed');
    return snapshot;
  }

  close(id: number): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }
}
