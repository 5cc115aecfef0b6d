import type { Logger } from 'pino';
import type { Store } from './inbox/store.ts';
import { createDeliveryMetrics, type DeliveryMetrics, type DeliveryReadings } from './metrics/delivery-metrics.ts';
import { createEventMetrics, type EventMetrics } from './metrics/event-metrics.ts';
import { createRegistries, type Registries } from './metrics/registries.ts';
import { createRequestMetrics, type RequestMetrics } from './metrics/request-metrics.ts';
import { createSpillMetrics } from './metrics/spill-metrics.ts';
import type { ServingStore } from './open-store.ts';

export interface Metrics {
  readonly registries: Registries;
  readonly requests: RequestMetrics;
  readonly events: EventMetrics;
  readonly deliveries: DeliveryMetrics;
}

/** Milliseconds for which one look at the store serves all gauges of a scrape, and a scrape in the other format. */
const LOOK_LASTS_MS = 500;

export function composeMetrics(
  { store, spilledEvents }: Pick<ServingStore, 'spilledEvents'> & { readonly store: Pick<Store, 'counts'> },
  bufferedBytes: () => number,
  logger: Logger,
): Metrics {
  const registries = createRegistries();
  let look: { readonly at: number; readonly readings: Promise<DeliveryReadings | undefined> } | undefined;
  const read = (): Promise<DeliveryReadings | undefined> => {
    if (look === undefined || Date.now() - look.at > LOOK_LASTS_MS) {
      const readings = store.counts().catch((error: unknown) => {
        logger.warn({ err: error }, 'the store did not answer a scrape; its gauges stand as they were');
        return undefined;
      });
      look = { at: Date.now(), readings };
    }
    return look.readings;
  };
  createSpillMetrics(registries, spilledEvents);
  return {
    registries,
    requests: createRequestMetrics(registries, { bufferedBytes }),
    events: createEventMetrics(registries),
    deliveries: createDeliveryMetrics(registries, read),
  };
}
