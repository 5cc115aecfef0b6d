import type { ChainHead } from './entry.ts';

/** Someone says that this head was stored. */
export interface Claim {
  readonly kind: 'link' | 'anchor';
  readonly head: ChainHead;
  /** Who says so, for the fault's detail. */
  readonly by: string;
  /** Epoch milliseconds: the head is known to have stood then. */
  readonly time?: number | undefined;
}

/** Claims whose entry has not been met. */
export class Claims {
  readonly #byWriter = new Map<string, Map<number, Claim[]>>();

  get size(): number {
    return this.#byWriter.size;
  }

  add(claim: Claim): void {
    const { writer, seq } = claim.head;
    const bySeq = this.#byWriter.get(writer) ?? new Map<number, Claim[]>();
    this.#byWriter.set(writer, bySeq);
    const same = bySeq.get(seq);
    if (same === undefined) bySeq.set(seq, [claim]);
    else same.push(claim);
  }

  /** Those on one entry, which has now been met. */
  take(writer: string, seq: number): readonly Claim[] {
    const bySeq = this.#byWriter.get(writer);
    const claims = bySeq?.get(seq);
    if (bySeq === undefined || claims === undefined) return [];
    bySeq.delete(seq);
    if (bySeq.size === 0) this.#byWriter.delete(writer);
    return claims;
  }

  /** In groups that name the same entry. */
  *groups(): Generator<readonly Claim[]> {
    for (const bySeq of this.#byWriter.values()) yield* bySeq.values();
  }
}
