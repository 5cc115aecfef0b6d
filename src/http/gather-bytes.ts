const NOTHING = new Uint8Array(0);
/** A piece that is the whole is kept as it is where the block it is a view of is no larger than so many times itself. */
const MAX_BLOCK = 4;

/**
 * Bytes that come in pieces of any size. What comes as one piece is not copied; all else gets memory of its own, because a
 * piece holds the block it is a view of, and a body in chunks of one byte would take a hundred times its size.
 */
export class GatheredBytes {
  readonly #expected: number;
  #bytes: Uint8Array = NOTHING;
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
    if (size === this.#expected && this.#size === 0 && piece.buffer.byteLength <= MAX_BLOCK * size) {
      this.#bytes = piece;
      this.#size = size;
      return;
    }
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
