/** Keeps the newest so many, and so many bytes of them. */
export class NewestList<T> {
  readonly #limit: number;
  readonly #byteLimit: number;
  readonly #onDropped: (item: T) => void;
  #items: { readonly item: T; readonly bytes: number }[] = [];
  /** Of the oldest that is kept: those before it wait to be cut off together. */
  #start = 0;
  #bytes = 0;

  constructor(limit: number, byteLimit = Number.POSITIVE_INFINITY, onDropped: (item: T) => void = () => undefined) {
    this.#limit = limit;
    this.#byteLimit = byteLimit;
    this.#onDropped = onDropped;
  }

  get size(): number {
    return this.#items.length - this.#start;
  }

  /** @param bytes what it holds beyond a few fields */
  add(item: T, bytes = 0): void {
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    while (this.size > this.#limit || (this.#bytes > this.#byteLimit && this.size > 1)) this.#dropOldest();
  }

  *newestFirst(): Generator<T> {
    for (let index = this.#items.length - 1; index >= this.#start; index -= 1) {
      const kept = this.#items[index];
      if (kept !== undefined) yield kept.item;
    }
  }

  oldestFirst(): T[] {
    return this.#items.slice(this.#start).map(({ item }) => item);
  }

  #dropOldest(): void {
    const oldest = this.#items[this.#start];
    this.#start += 1;
    if (oldest !== undefined) {
      this.#bytes -= oldest.bytes;
      this.#onDropped(oldest.item);
    }
    // Half of the array at a time, so that dropping stays cheap; until then the dropped are still held.
    if (this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
  }
}
