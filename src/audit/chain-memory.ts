import type { AuditDraft, ChainHead } from './entry.ts';
import { newId } from './new-id.ts';

/** Chains of strangers' entries, and all others. */
export type ChainKind = 'proven' | 'strangers';

const STRANGERS = 'anonymous-';

/** Chains of strangers' entries, which have a retention of their own, as a range of names: from the first, below the
 * second. The name is part of what each entry's hash covers, so no chain can be passed off as one of the others. */
export const STRANGERS_RANGE: readonly [from: string, below: string] = [STRANGERS, 'anonymous.'];

export function kindOf(writer: string): ChainKind {
  return writer.startsWith(STRANGERS) ? 'strangers' : 'proven';
}

/** Whether an entry belongs into a chain of strangers. */
export function isOfStranger({ userId }: Pick<AuditDraft, 'userId'>): boolean {
  return userId === 'anonymous';
}

/** What a lane remembers of one of its two chains. */
export class ChainMemory {
  readonly kind: ChainKind;
  writer: string;
  /** The newest entry known to be committed. */
  head: ChainHead | undefined;
  /** Epoch milliseconds of that commit. */
  committedAt = Date.now();
  /** Whether the chain may exist in the store. */
  started: boolean;

  /** @param writer of the proven chain; that of the strangers' is made from it */
  constructor(kind: ChainKind, writer: string, started = false) {
    this.kind = kind;
    this.writer = kind === 'strangers' ? STRANGERS + writer : writer;
    this.started = started;
  }

  committed(head: ChainHead): void {
    this.writer = head.writer;
    this.head = head;
    this.started = true;
    this.committedAt = Date.now();
  }

  /** What comes next begins a chain of its own. */
  leave(): void {
    this.writer = this.nextWriter();
    this.head = undefined;
    this.started = false;
  }

  /** A chain never begins twice under one name. */
  nextWriter(): string {
    if (!this.started && this.head === undefined) return this.writer;
    return this.kind === 'strangers' ? STRANGERS + newId() : newId();
  }
}
