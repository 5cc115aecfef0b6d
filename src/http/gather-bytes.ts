const NOTHING = new Uint8Array(0);
/** A piece that is the whole is kept as it is where the block it is a view of is no larger than so many times itself. */
const MAX_BLOCK = 4;
/** Bytes of the first block and of the largest: each is as large as all before it, so that few are needed and little is unused. */
const FIRST_BLOCK = 16 * 1024;
const LARGEST_BLOCK = 1024 * 1024;

/**
 * Bytes that come in pieces of any size. What comes as one piece is not copied; all else gets memory of its own, because a
 * piece holds the block it is a view of, and a body in chunks of one byte would take a hundred times its size. It is put together
 * only when it is whole, so that a body that is never finished is copied once.
 */
export class GatheredBytes {
  readonly #expected: number;
  /** All full but the last. */
  readonly #blocks: Uint8Array[] = [];
  #free: Uint8Array = NOTHING;
  #size = 0;

  /** @param expected how many there will be at the most */
  constructor(expected: number) {
    this.#expected = expected;
  }

  get size(): number {
    return this.#size;
  }

  add(piece: Uint8Array): void {
    const isWhole = this.#size === 0 && piece.byteLength === this.#expected;
    if (isWhole && piece.buffer.byteLength <= MAX_BLOCK * piece.byteLength) {
      this.#blocks.push(piece);
      this.#size = piece.byteLength;
      return;
    }
    for (let rest = piece; rest.byteLength > 0; ) {
      if (this.#free.byteLength === 0) this.#addBlock();
      const part = rest.subarray(0, this.#free.byteLength);
      this.#free.set(part);
      this.#free = this.#free.subarray(part.byteLength);
      this.#size += part.byteLength;
      rest = rest.subarray(part.byteLength);
    }
  }

  /** All of them, and no room besides. */
  take(): Uint8Array {
    const [first = NOTHING] = this.#blocks;
    if (first.byteLength === this.#size) return first;
    const whole = new Uint8Array(this.#size);
    let at = 0;
    for (const block of this.#blocks) {
      whole.set(at + block.byteLength > this.#size ? block.subarray(0, this.#size - at) : block, at);
      at += block.byteLength;
    }
    return whole;
  }

  #addBlock(): void {
    const left = this.#expected - this.#size;
    const size = Math.min(Math.max(this.#size, FIRST_BLOCK), LARGEST_BLOCK, left > 0 ? left : FIRST_BLOCK);
    // Only what is written into it is ever read.
    this.#free = Buffer.allocUnsafeSlow(size);
    this.#blocks.push(this.#free);
  }
}
