import type { DailySeed } from './analytics.ts';
import type { NewKey } from './api-keys.ts';
import type { DeliveryRules } from './deliveries.ts';
import type { Label, Plan, WebhookDraft } from './shapes.ts';
import type { WorkspaceOptions } from './workspace.ts';

/** What a set-up file may say, too. */
export interface SetUp {
  /** Default: that of the samples. */
  readonly workspace?: WorkspaceOptions;
  /** Default: hypergrowth. */
  readonly plan?: Plan;
  /** Beside `all` and `read`, which are always there; one of those names takes its place. */
  readonly keys?: readonly NewKey[];
  /** Default: the label of the sample `custom_label`, with the value 11. */
  readonly labels?: readonly Label[];
  readonly webhooks?: readonly WebhookDraft[];
  readonly analytics?: readonly DailySeed[];
  /** Default 5,000 and 15,000: three attempts within 30 seconds. */
  readonly retryDelaysMs?: readonly number[];
  /** Milliseconds a receiver has to answer; default 10,000. */
  readonly timeoutMs?: number;
  /** Deliveries given up in a row that disable a webhook; default 5. */
  readonly disableAfter?: number;
  /** Default: nothing. */
  readonly whileDisabled?: DeliveryRules['whileDisabled'];
  /** Entries of the delivery log that are kept; default and most 100,000. */
  readonly logLimit?: number;
  /** Calls a second for the whole workspace; default: no limit. */
  readonly rateLimit?: number;
  /** Whether a list's last page has a cursor too; default true. */
  readonly cursorAtEnd?: boolean;
  /** Whether a subscription's `event_type` may be null, which the document says in one place and not in another; default: refused. */
  readonly nullEventType?: 'refused' | 'taken';
  /** Whether a client that does not name itself is refused at the edge (403 in HTML); default false. */
  readonly requireUserAgent?: boolean;
  /** Every delivery goes to this address, with the webhook's own path and query. */
  readonly deliverTo?: string;
  /** Default false: deliveries to other machines fail unsent. */
  readonly allowRemote?: boolean;
}

export interface FakeInstantlyOptions extends SetUp {
  /** Default: any that is free. */
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Epoch milliseconds. With it nothing runs by itself: `advance` moves time on from there. */
  readonly now?: () => number;
}
