import type { Inbox, ReadEvent } from '../inbox/accept.ts';
import type { Store } from '../inbox/store.ts';
import type { InstantlyReader } from './reader.ts';
import type { Webhook } from './schemas.ts';

export interface LogWindow {
  /** `failed`: attempts that Instantly counts as failed. `all`: also those whose outcome it does not tell, as it may be for what
   * happened while a webhook was disabled. */
  readonly mode: 'failed' | 'all';
  /** Epoch milliseconds by our clock; the log itself knows whole days only. */
  readonly from: number;
  readonly to: number;
  /** Where an earlier run over the same window stopped. */
  readonly startingAfter?: string | undefined;
}

export interface ReconcileOptions {
  readonly reader: Pick<InstantlyReader, 'webhookEvents' | 'unreadable' | 'clockAheadMs'>;
  readonly store: Pick<Store, 'findByKeys'>;
  readonly inbox: Pick<Inbox, 'interpret' | 'accept'>;
  /** Only what was to go there is ours. */
  readonly url: string;
  /** The exact URL to ask the log for; `undefined`: that of everybody, since ours is not always written in the same way. */
  readonly search: string | undefined;
  readonly window: LogWindow;
  /** Also deliveries that Instantly counts as successful, which are held unless our store has lost them. */
  readonly includeSucceeded: boolean;
  /** Nothing is accepted; what would be counts as recovered. */
  readonly dryRun: boolean;
  /** Retry groups that were held before and whose payload does not say when it happened: their key is soon forgotten. */
  readonly known: Pick<ReadonlySet<string>, 'has'>;
  readonly maxPages: number;
  /** Milliseconds after which no further page is asked for. */
  readonly withinMs: number;
  readonly onPage: (report: ReconcileReport) => void | Promise<void>;
  readonly onAccepted: (facts: ReadEvent['facts']) => void;
  readonly signal: AbortSignal;
}

export interface ReconcileReport {
  readonly pages: number;
  /** Attempts in Instantly's log that were for us and within the window. */
  readonly found: number;
  /** Deliveries, each of one attempt or more. */
  readonly groups: number;
  /** Those that Instantly counts as successful in the end. */
  readonly succeeded: number;
  /** Deliveries that the store held already. */
  readonly held: number;
  /** Those that it holds only now. */
  readonly recovered: number;
  /** Those whose payload is no JSON object, and attempts that tell nothing of use. */
  readonly unreadable: number;
  /** A field that all items of a page lacked, without which nothing can be said of them; `undefined`: there was none such. */
  readonly lacking: string | undefined;
  /** Whether the window was read to its end. */
  readonly complete: boolean;
  /** For going on where it is not. */
  readonly startingAfter: string | undefined;
  /** Groups that are held now and whose payload does not say when it happened. */
  readonly undated: readonly string[];
}

/** @param own our webhooks, which may have been made by hand */
export function searchFor(own: readonly Webhook[], url: string): string | undefined {
  return own.every(({ target_hook_url: target }) => target === url) ? url : undefined;
}
