import { Counter, Gauge, Histogram } from 'prom-client';
import { both, type Registries } from './registries.ts';

const RUN_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const WAIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300];

/** What the store knows at the moment of a scrape. */
export interface DeliveryReadings {
  readonly deliveries: Readonly<Record<string, number>>;
  readonly oldestPendingAt: number | null;
  readonly quarantined: number;
}

export type DeliveryMetrics = ReturnType<typeof createDeliveryMetrics>;

/** `read` is called for each gauge of a scrape, and gives `undefined` where the store does not answer: the last value stands. */
export function createDeliveryMetrics(
  registries: Registries,
  read: () => Promise<DeliveryReadings | undefined>,
  faultyHandlerFiles: () => number,
) {
  const registers = both(registries);
  return {
    runs: new Counter({
      name: 'instantly_handler_runs_total',
      help: 'Attempts of handlers by how they ended.',
      labelNames: ['handler', 'result'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'instantly_handler_duration_seconds',
      help: 'Time of one attempt of a handler.',
      labelNames: ['handler'] as const,
      buckets: RUN_BUCKETS,
      registers,
    }),
    wait: new Histogram({
      name: 'instantly_delivery_wait_seconds',
      help: 'Time from the acceptance of an event to the start of its first attempt in each handler.',
      buckets: WAIT_BUCKETS,
      registers,
    }),
    deliveries: new Gauge({
      name: 'instantly_deliveries',
      help: 'Deliveries by state; orphaned: those whose handler no process has registered.',
      labelNames: ['state'] as const,
      registers,
      async collect() {
        const readings = await read();
        for (const [state, count] of Object.entries(readings?.deliveries ?? {})) this.set({ state }, count);
      },
    }),
    faultyFiles: new Gauge({
      name: 'instantly_faulty_handler_files',
      help: 'Handler files that cannot be loaded, or not yet; deliveries of their handlers wait.',
      registers,
      collect() {
        this.set(faultyHandlerFiles());
      },
    }),
    oldestPending: new Gauge({
      name: 'instantly_oldest_pending_delivery_seconds',
      help: 'Age of the oldest pending delivery; 0 where none is pending.',
      registers,
      async collect() {
        const readings = await read();
        if (readings === undefined) return;
        const { oldestPendingAt } = readings;
        this.set(oldestPendingAt === null ? 0 : Math.max(0, (Date.now() - oldestPendingAt) / 1_000));
      },
    }),
    quarantined: new Gauge({
      name: 'instantly_quarantined_bodies',
      help: 'Bodies of proven senders that could not be read and wait for an operator.',
      registers,
      async collect() {
        const readings = await read();
        if (readings !== undefined) this.set(readings.quarantined);
      },
    }),
  };
}
