import type { AuditDraft } from './entry.ts';

/** What entries that are not written singly are counted by. */
export interface Triple {
  readonly action: string;
  readonly status: number | null;
  readonly reason: string | null;
}

/** Entries counted under one triple; `from` and `to` are ISO 8601 in UTC. */
export interface Counted extends Triple {
  /** `various` where they differ. */
  readonly resource: string;
  /** `failure` where one of them was. */
  readonly result: AuditDraft['result'];
  readonly count: number;
  readonly from: string;
  readonly to: string;
}

/** Triples come from closed sets; should that ever fail, everything past so many is counted under `OTHER`. */
export const MAX_TRIPLES = 200;

const OTHER: Triple = { action: 'audit.other', status: null, reason: 'other' };

type Tally = { -readonly [Member in keyof Counted]: Counted[Member] };

/** Exact counts in bounded memory. */
export class TripleCounts {
  #counted = new Map<string, Tally>();

  get size(): number {
    return this.#counted.size;
  }

  add(more: Counted): void {
    let triple: Triple = more;
    let name = nameOf(triple);
    if (!this.#counted.has(name) && this.#counted.size >= MAX_TRIPLES) {
      triple = OTHER;
      name = nameOf(OTHER);
    }
    const { action, status, reason } = triple;
    const { resource, result, count, from, to } = more;
    const known = this.#counted.get(name);
    if (known === undefined) {
      this.#counted.set(name, { action, status, reason, resource, result, count, from, to });
      return;
    }
    // In place: a flood counts thousands a second here.
    if (known.resource !== resource) known.resource = 'various';
    if (result === 'failure') known.result = result;
    known.count += count;
    known.from = earlier(from, known.from);
    known.to = later(to, known.to);
  }

  /** Everything counted so far, which is not counted any more then. */
  take(): Counted[] {
    const taken = [...this.#counted.values()];
    this.#counted = new Map();
    return taken;
  }
}

/** A draft as one to count. A draft that stands for several is as many. */
export function countedOf(draft: AuditDraft): Counted {
  const { status, reason, aggregated, count, from, to } = draft.metadata;
  const { action, resource, result, timestamp } = draft;
  return {
    action,
    status: typeof status === 'number' ? status : null,
    reason: typeof reason === 'string' ? reason : null,
    resource,
    result,
    ...(aggregated === true
      ? { count: Number(count), from: String(from), to: String(to) }
      : { count: 1, from: timestamp, to: timestamp }),
  };
}

/** Of two times in ISO 8601 in UTC, whose order as text is their order in time. */
export function earlier(a: string, b: string): string {
  if (a < b) return a;
  return b;
}

export function later(a: string, b: string): string {
  if (a < b) return b;
  return a;
}

function nameOf({ action, status, reason }: Triple): string {
  return JSON.stringify([action, status, reason]);
}
