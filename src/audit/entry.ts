/** A value that JSON.stringify keeps as it is; metadata holds nothing deeper than a list of flat records. */
export type AuditValue =
  | string
  | number
  | boolean
  | null
  | readonly AuditValue[]
  | { readonly [key: string]: AuditValue };

export type AuditMetadata = { readonly [key: string]: AuditValue };

/** What happened, before the chain has given it a place. */
export interface AuditDraft {
  /** UUID v7. */
  readonly id: string;
  /** ISO 8601 in UTC: when the request arrived or the action began. */
  readonly timestamp: string;
  /** `noun.verb`, such as `webhook.receive`. */
  readonly action: string;
  /** Who was proven: `instantly:hmac:1`, `instantly:token:2`, `admin`, `service`, `anonymous`. */
  readonly userId: string;
  /** The route or the kind of thing acted on; never a raw path or query. */
  readonly resource: string;
  readonly result: 'success' | 'failure';
  /** Never a secret, a lead's address, a custom label or a body. */
  readonly metadata: AuditMetadata;
}

/** An entry in its place: `hash` is an HMAC over everything else, `prevHash` included. */
export interface AuditEntry extends AuditDraft {
  /** The chain: one for each process and commit lane. */
  readonly writer: string;
  /** From 1, without a gap. */
  readonly seq: number;
  /** Hex; 64 zeros at `seq` 1. */
  readonly prevHash: string;
  readonly hash: string;
}

/** The newest entry of one chain. */
export interface ChainHead {
  readonly writer: string;
  readonly seq: number;
  readonly hash: string;
}
