import type { Logger } from 'pino';
import { lastingOf } from './errors/problem.ts';
import type { Orphans, Store, StoreCounts } from './inbox/store.ts';
import { createDeliveryMetrics, type DeliveryMetrics, type DeliveryReadings } from './metrics/delivery-metrics.ts';
import { createEventMetrics, type EventMetrics } from './metrics/event-metrics.ts';
import { createRegistries, type Registries } from './metrics/registries.ts';
import { createRequestMetrics, type RequestMetrics } from './metrics/request-metrics.ts';
import { createSpillMetrics } from './metrics/spill-metrics.ts';
import type { ServingStore } from './open-store.ts';
import type { StoreFault } from './stores/spill/spilling-store.ts';

export interface Metrics {
  readonly registries: Registries;
  readonly requests: RequestMetrics;
  readonly events: EventMetrics;
  readonly deliveries: DeliveryMetrics;
  /** Deliveries whose handler no process has registered, as of the last seconds. */
  readonly orphaned: () => Promise<number>;
}

/** Milliseconds for which one look at the store serves all gauges of a scrape, and a scrape in the other format. */
const LOOK_LASTS_MS = 500;
/** The same for orphaned deliveries, and where there are so many that to count them takes a while. */
const ORPHANS_LAST_MS = 5_000;
const MANY_ORPHANS = 10_000;
const MANY_LAST_MS = 60_000;

export function composeMetrics(
  {
    store,
    spilledEvents,
    fault,
  }: Pick<ServingStore, 'spilledEvents' | 'fault'> & { readonly store: Pick<Store, 'counts' | 'orphans'> },
  bufferedBytes: () => number,
  faultyHandlerFiles: () => number,
  logger: Logger,
): Metrics {
  const registries = createRegistries();
  const orphans = readOrphans(store);
  let asked: StoreFault | undefined;
  let look: { readonly at: number; readonly readings: Promise<DeliveryReadings | undefined> } | undefined;
  const read = (): Promise<DeliveryReadings | undefined> => {
    if (look === undefined || performance.now() - look.at > LOOK_LASTS_MS) {
      const readings = Promise.all([store.counts(), orphans()]).then(
        ([counts, found]) => {
          asked = undefined;
          return apart(counts, found);
        },
        (error: unknown) => {
          // Once: clients that prove nothing may scrape too.
          if (asked === undefined)
            logger.warn({ err: error }, 'the store did not answer a scrape; its gauges stand as they were');
          asked = lastingOf(error) === undefined ? 'outage' : 'lasting';
          return undefined;
        },
      );
      look = { at: performance.now(), readings };
    }
    return look.readings;
  };
  const readFault = async (): Promise<StoreFault | undefined> => {
    await read();
    return fault?.() ?? asked;
  };
  createSpillMetrics(registries, spilledEvents, readFault);
  return {
    registries,
    requests: createRequestMetrics(registries, { bufferedBytes }),
    events: createEventMetrics(registries),
    deliveries: createDeliveryMetrics(registries, read, faultyHandlerFiles),
    orphaned: async () => sumOf(await orphans()),
  };
}

function readOrphans(store: Pick<Store, 'orphans'>): () => Promise<Orphans> {
  let look: { readonly until: number; readonly orphans: Promise<Orphans> } | undefined;
  return () => {
    if (look === undefined || performance.now() > look.until) {
      const orphans = store.orphans();
      const began = { until: performance.now() + ORPHANS_LAST_MS, orphans };
      look = began;
      orphans.then(
        (found) => {
          if (sumOf(found) > MANY_ORPHANS) look = { until: performance.now() + MANY_LAST_MS, orphans };
        },
        () => {
          if (look === began) look = undefined;
        },
      );
    }
    return look.orphans;
  };
}

function sumOf({ handlers }: Orphans): number {
  return handlers.reduce((sum, { pending, dead }) => sum + pending + dead, 0);
}

/** Deliveries that nobody runs count as orphaned alone. */
function apart(counts: StoreCounts, orphans: Orphans): DeliveryReadings {
  const pending = orphans.handlers.reduce((sum, handler) => sum + handler.pending, 0);
  const dead = orphans.handlers.reduce((sum, handler) => sum + handler.dead, 0);
  const { deliveries } = counts;
  return {
    ...counts,
    deliveries: {
      ...deliveries,
      pending: Math.max(0, deliveries.pending - pending),
      dead: Math.max(0, deliveries.dead - dead),
      orphaned: pending + dead,
    },
    oldestPendingAt: pending > 0 ? orphans.oldestPendingAt : counts.oldestPendingAt,
  };
}

/** The entry is the store's own; gives how often it was found so far. */
export function countTamperings(
  store: Pick<Store, 'onTampered'>,
  { events }: Metrics,
  logger: Logger,
): () => Promise<number> {
  let found = 0;
  store.onTampered(({ reason, writer, expected, found: stored }) => {
    found += 1;
    events.auditTampered.inc();
    logger.error(
      { reason, writer, expected, found: stored },
      'the audit log was tampered with: run audit verify, with --anchor where heads are kept elsewhere',
    );
  });
  return async () => found;
}
