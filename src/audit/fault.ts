export type FaultKind =
  /** A field is missing or of the wrong kind. */
  | 'malformed'
  /** The hash is not that of the entry: something in it was changed, or it was never ours. */
  | 'edited'
  /** Entries before it are gone. */
  | 'gap'
  /** It stands twice, or where it does not belong. */
  | 'order'
  /** It does not continue the entry before it. */
  | 'discontinued'
  /** Its chain does not begin as a chain begins. */
  | 'start'
  /** The first entry of another chain contradicts what is stored. */
  | 'link'
  /** A record of pruning contradicts what is stored. */
  | 'cut'
  /** The anchor contradicts what is stored. */
  | 'anchor'
  /** The row of a chain names another newest entry than there is. */
  | 'head'
  /** The store holds events, and its log is empty. */
  | 'empty'
  /** An entry says that a receiver found the log tampered with. */
  | 'tampered';

export interface AuditFault {
  readonly kind: FaultKind;
  readonly writer: string;
  readonly seq: number;
  /** `null` where the entry itself is missing. */
  readonly id: string | null;
  readonly detail: string;
}

/** Keeps the fault that comes first in the log, however late it is found. */
export class FirstFault {
  fault: AuditFault | undefined;
  /** Chains with at least one fault. */
  readonly writers = new Set<string>();
  #at = Number.POSITIVE_INFINITY;

  /** `at`: how many entries had been read when the fault was passed; infinite where its whole chain is missing. */
  add(at: number, fault: AuditFault): void {
    this.writers.add(fault.writer);
    if (this.fault !== undefined && at >= this.#at) return;
    this.fault = fault;
    this.#at = at;
  }
}
