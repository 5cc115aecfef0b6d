/** A quarter of the memory for bodies is kept for requests whose token is already proven: a crowd of strangers that fills
 * the rest does not keep Instantly out. */
const KEPT_FOR_PROVEN = 0.25;

/** Bytes of bodies in memory at once, over all requests. */
export class BufferBudget {
  readonly #limits: { readonly proven: number; readonly unproven: number };
  #used = 0;

  /** @param keepForProven whether any request can be proven before its body is read */
  constructor(maxBytes: number, keepForProven: boolean) {
    this.#limits = { proven: maxBytes, unproven: keepForProven ? maxBytes * (1 - KEPT_FOR_PROVEN) : maxBytes };
  }

  get used(): number {
    return this.#used;
  }

  /** Takes the bytes, or nothing where they do not fit. */
  take(bytes: number, proven: boolean): boolean {
    if (this.#used + bytes > (proven ? this.#limits.proven : this.#limits.unproven)) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
