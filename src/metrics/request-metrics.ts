import { Counter, Gauge, Histogram } from 'prom-client';
import { both, type Registries } from './registries.ts';

/** Seconds: from a durable accept on a quick disk to the time-outs of senders. */
const ANSWER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type RequestMetrics = ReturnType<typeof createRequestMetrics>;

export function createRequestMetrics(registries: Registries, read: { bufferedBytes(): number }) {
  const registers = both(registries);
  return {
    requests: new Counter({
      name: 'instantly_webhook_requests_total',
      help: 'Requests to the webhook path by how they ended.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'instantly_webhook_request_duration_seconds',
      help: 'Time from the arrival of a request to the webhook path to the end of its answer.',
      buckets: ANSWER_BUCKETS,
      registers,
    }),
    signatureMismatches: new Counter({
      name: 'instantly_webhook_signature_mismatches_total',
      help: 'Requests that a token proved while the signature beside it did not hold.',
      registers,
    }),
    droppedConnections: new Counter({
      name: 'instantly_dropped_connections_total',
      help: 'Connections closed or not taken because MAX_CONNECTIONS or MAX_UNPROVEN_PER_ADDRESS was reached.',
      registers,
    }),
    bufferedBytes: new Gauge({
      name: 'instantly_buffered_bytes',
      help: 'Bytes of bodies held in memory now.',
      registers,
      collect() {
        this.set(read.bufferedBytes());
      },
    }),
  };
}
