import type { Part, Waiting } from './keep-otherwise.ts';

/** Bytes of bodies after which a transaction takes no more. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** A body that makes its transaction a long one: 10 MB take the disk a tenth of a second. */
const LONG_BYTES = 1024 * 1024;

/**
 * What waits for a commit, in order. A long part goes into a transaction of its own, and between two of them goes what has come
 * meanwhile: it waits for one of them at the most, however many a sender sends. No part overtakes one of its lead.
 */
export class CommitQueue {
  #parts: Waiting[] = [];
  #longParts = 0;
  #wasLong = false;

  get length(): number {
    return this.#parts.length;
  }

  push(part: Waiting): void {
    this.#parts.push(part);
    if (isLong(part)) this.#longParts += 1;
  }

  /**
   * Takes what the next transaction is for.
   *
   * @param leadsInFlight what has to wait for one of these keeps its place
   */
  take(maxParts: number, leadsInFlight: ReadonlySet<string>): Waiting[] {
    if (this.#longParts === 0) return this.#take(maxParts, leadsInFlight, false);
    const isLongNext = !this.#wasLong;
    const taken = this.#take(maxParts, leadsInFlight, isLongNext);
    return taken.length > 0 ? taken : this.#take(maxParts, leadsInFlight, !isLongNext);
  }

  #take(maxParts: number, leadsInFlight: ReadonlySet<string>, long: boolean): Waiting[] {
    const taken: Waiting[] = [];
    const left: Waiting[] = [];
    /** Leads of what was passed over here. */
    const passed = new Set<string>();
    let bytes = 0;
    for (const [index, part] of this.#parts.entries()) {
      if (taken.length >= (long ? 1 : maxParts) || bytes >= BATCH_BYTES) {
        left.push(...this.#parts.slice(index));
        break;
      }
      const lead = leadOf(part);
      const isHeld = lead !== null && (leadsInFlight.has(lead) || passed.has(lead));
      if (isHeld || isLong(part) !== long) {
        if (lead !== null) passed.add(lead);
        left.push(part);
        continue;
      }
      bytes += bytesOf(part);
      taken.push(part);
    }
    this.#parts = left;
    if (taken.length > 0) this.#wasLong = long;
    if (long) this.#longParts -= taken.length;
    return taken;
  }
}

export function leadOf(part: Part): string | null {
  return part.kind === 'accepts' ? part.value.event.lead : null;
}

function isLong(part: Part): boolean {
  return bytesOf(part) > LONG_BYTES;
}

function bytesOf(part: Part): number {
  if (part.kind === 'accepts') return part.value.event.body.byteLength;
  return part.kind === 'quarantines' ? part.value.body.byteLength : 0;
}
