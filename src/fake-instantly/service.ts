import { SAMPLES } from '../events/samples.ts';
import { Analytics } from './analytics.ts';
import { ApiKeys } from './api-keys.ts';
import { AuditTrail, SERVICE } from './audit-log.ts';
import type { Call } from './calls.ts';
import { Clock } from './clock.ts';
import { Deliveries } from './deliveries.ts';
import { DeliveryLog } from './delivery-log.ts';
import { Faults } from './faults.ts';
import { idMaker } from './new-ids.ts';
import { NewestList } from './newest-list.ts';
import type { FakeInstantlyOptions } from './options.ts';
import { Poster } from './post-delivery.ts';
import { RateLimit } from './rate-limit.ts';
import type { Label, Plan } from './shapes.ts';
import { Webhooks } from './webhooks.ts';
import { type Owner, readOwner } from './workspace.ts';

const MAX_CALLS = 10_000;
const MAX_LOG = 100_000;
const LOG_BYTES = 256 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const RETRY_DELAYS_MS = [5_000, 15_000];
const DISABLE_AFTER = 5;

/** That of the sample `custom_label`, so that it can be subscribed to. */
const LABELS: readonly Label[] = [{ interest_status: 11, label: String(SAMPLES.custom_label['event_type']) }];

/** All of the service but its HTTP. */
export interface Service {
  readonly owner: Owner;
  readonly plan: Plan;
  readonly labels: readonly Label[];
  readonly cursorAtEnd: boolean;
  readonly takesNullType: boolean;
  readonly needsUserAgent: boolean;
  /** ISO 8601. */
  readonly created: string;
  readonly clock: Clock;
  readonly audit: AuditTrail;
  readonly keys: ApiKeys;
  readonly webhooks: Webhooks;
  readonly log: DeliveryLog;
  readonly poster: Poster;
  readonly deliveries: Deliveries;
  readonly analytics: Analytics;
  readonly faults: Faults;
  readonly rateLimit: RateLimit;
  readonly calls: NewestList<Call>;
  /** How many sample events were made, so that each is another. */
  readonly samples: { made: number };
}

export function createService(options: FakeInstantlyOptions): Service {
  const owner = readOwner(options.workspace ?? {});
  const { workspaceId } = owner;
  const clock = new Clock(options.now);
  const newId = idMaker(() => clock.now());
  const isoNow = (): string => clock.isoNow();
  const audit = new AuditTrail(owner, newId, isoNow);
  const keys = new ApiKeys({ workspaceId, newId, isoNow, audit });
  const webhooks = new Webhooks({ workspaceId, newId, isoNow, audit });
  const log = new DeliveryLog(options.logLimit ?? MAX_LOG, LOG_BYTES);
  const poster = new Poster({
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    deliverTo: options.deliverTo === undefined ? undefined : new URL(options.deliverTo),
    allowRemote: options.allowRemote ?? false,
  });
  const labels = options.labels ?? LABELS;
  const rules = {
    retryDelaysMs: options.retryDelaysMs ?? RETRY_DELAYS_MS,
    disableAfter: options.disableAfter ?? DISABLE_AFTER,
    whileDisabled: options.whileDisabled ?? 'nothing',
  };
  const deliveries = new Deliveries({ rules, clock, webhooks, log, poster, labels, workspaceId, newId });
  const analytics = new Analytics();
  for (const webhook of options.webhooks ?? []) webhooks.create(webhook, SERVICE);
  for (const day of options.analytics ?? []) analytics.seed(day);
  return {
    ...{ owner, labels, clock, audit, keys, webhooks, log, poster, deliveries, analytics },
    plan: options.plan ?? 'hypergrowth',
    cursorAtEnd: options.cursorAtEnd ?? true,
    takesNullType: options.nullEventType === 'taken',
    needsUserAgent: options.requireUserAgent ?? false,
    created: isoNow(),
    faults: new Faults(),
    rateLimit: new RateLimit(() => clock.now(), options.rateLimit),
    calls: new NewestList<Call>(MAX_CALLS),
    samples: { made: 0 },
  };
}
