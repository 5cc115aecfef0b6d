/**
 * Bytes that come in pieces of any size, in memory of their own: a piece is a view of a larger block, which would travel
 * whole to the thread that stores it. Pieces are not kept one by one, because a body in chunks of one byte would then
 * take a hundred times its size.
 */
export class GatheredBytes {
  readonly #expected: number;
  #bytes = new Uint8Array(0);
  #size = 0;

  /** @param expected how many there will be at the most */
  constructor(expected: number) {
    this.#expected = expected;
  }

  get size(): number {
    return this.#size;
  }

  add(piece: Uint8Array): void {
    const size = this.#size + piece.byteLength;
    if (size > this.#bytes.byteLength) this.#grow(size);
    this.#bytes.set(piece, this.#size);
    this.#size = size;
  }

  /** All of them, and no room besides. */
  take(): Uint8Array {
    return this.#size === this.#bytes.byteLength ? this.#bytes : this.#bytes.slice(0, this.#size);
  }

  /** Doubled, so that many small pieces are not copied again for each of them. */
  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, Math.min(2 * this.#bytes.byteLength, this.#expected)));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
