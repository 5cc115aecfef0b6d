import { createHash } from 'node:crypto';
import { newId } from '../audit/new-id.ts';
import { type AuthenticDelivery, isAuthentic } from '../authenticate/index.ts';
import { dedupUntil } from '../events/dedup-key.ts';
import { type Interpretation, interpretBody, type ReadEvent } from '../events/interpret-body.ts';
import type { UnreadableReason } from '../events/parse-body.ts';
import type { GroupCommit } from './group-commit.ts';
import type { AcceptResult, DeliveryRoute, HandlerRoute, PendingAudit } from './store.ts';

export type { ReadEvent };

/** Why an event is in quarantine that can be read. */
export const TOO_OLD = 'too-old';

export interface InboxOptions {
  readonly commits: Pick<GroupCommit, 'accept' | 'quarantine'>;
  /** The handlers that new events go to now. */
  readonly handlers: () => readonly HandlerRoute[];
  readonly retentionMs: number;
  /** MAX_EVENT_AGE. */
  readonly maxEventAgeMs?: number | undefined;
  /** Default: {@link interpretBody}, in the thread that calls. */
  readonly interpret?: Inbox['interpret'];
}

/** The one way in: it takes nothing but what authentication has proven. */
export class Inbox {
  readonly #options: InboxOptions;
  /** Reads a body, for `accept`. */
  readonly interpret: (bytes: Uint8Array, charset: string | null) => Interpretation | Promise<Interpretation>;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.interpret = options.interpret ?? interpretBody;
  }

  /** Resolves once the event, its deliveries and its audit entry are durable, or it is known as a duplicate.
   * @throws Problem `overloaded` or `store-unavailable`: nothing is promised, the sender may try again. */
  accept(
    delivery: AuthenticDelivery,
    event: ReadEvent,
    audit: PendingAudit,
    quarantineId?: string,
  ): Promise<AcceptResult> {
    refuseUnproven(delivery);
    const receivedAt = Date.now();
    const { facts, dedupKey, charset } = event;
    const { retentionMs, maxEventAgeMs } = this.#options;
    return this.#options.commits.accept({
      event: {
        id: newId(),
        receivedAt,
        ...facts,
        principal: delivery.principal,
        source: delivery.source,
        dedupKey,
        dedupUntil: dedupUntil(facts, receivedAt, retentionMs, maxEventAgeMs !== undefined),
        body: delivery.body,
        charset,
      },
      routes: routesFor(this.#options.handlers(), facts.type),
      audit,
      ...(quarantineId === undefined ? {} : { quarantineId }),
    });
  }

  /** Whether a delivery of it may be one that was recorded and is sent again. Without a timestamp an event has no age; one from
   * the future has it later. */
  isTooOld({ timestamp }: Pick<ReadEvent['facts'], 'timestamp'>): boolean {
    const { maxEventAgeMs } = this.#options;
    return maxEventAgeMs !== undefined && timestamp !== null && Date.now() - timestamp > maxEventAgeMs;
  }

  /** Keeps the bytes of a proven sender that cannot be read as an event, or are too old for one. Resolves and throws as `accept` does. */
  quarantine(
    delivery: AuthenticDelivery,
    reason: UnreadableReason | typeof TOO_OLD,
    audit: PendingAudit,
  ): Promise<string> {
    refuseUnproven(delivery);
    return this.#options.commits.quarantine({
      id: newId(),
      receivedAt: Date.now(),
      reason,
      principal: delivery.principal,
      contentType: delivery.contentType,
      bodySha256: createHash('sha256').update(delivery.body).digest('hex'),
      body: delivery.body,
      audit,
    });
  }
}

/** Types keep look-alikes out; this keeps them out where a cast has silenced the types. */
function refuseUnproven(delivery: AuthenticDelivery): void {
  if (!isAuthentic(delivery)) throw new TypeError('only an authentic delivery may enter the inbox');
}

export function routesFor(handlers: readonly HandlerRoute[], type: string): DeliveryRoute[] {
  return handlers
    .filter(({ events }) => events.includes('*') || events.includes(type))
    .map(({ handler, ordered }) => ({ handler, ordered }));
}
