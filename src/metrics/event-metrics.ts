import { Counter, Gauge, Histogram } from 'prom-client';
import { both, type Registries } from './registries.ts';

const COMMIT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
/** Seconds: Instantly delivers within seconds, a reconciled event may be days old. */
const LAG_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400, 604_800];

export type EventMetrics = ReturnType<typeof createEventMetrics>;

export function createEventMetrics(registries: Registries) {
  const registers = both(registries);
  return {
    events: new Counter({
      name: 'instantly_events_total',
      help: 'Events accepted, without duplicates, by canonical type; custom labels count as custom.',
      labelNames: ['event_type'] as const,
      registers,
    }),
    lag: new Histogram({
      name: 'instantly_event_lag_seconds',
      help: "Time from an event's own timestamp to its acceptance.",
      buckets: LAG_BUCKETS,
      registers,
    }),
    lastEvent: new Gauge({
      name: 'instantly_last_event_timestamp_seconds',
      help: 'Unix time at which the last event was accepted, without duplicates.',
      registers,
    }),
    commitDuration: new Histogram({
      name: 'instantly_commit_duration_seconds',
      help: 'Time of one commit, from handing it to the store to knowing that it is durable.',
      buckets: COMMIT_BUCKETS,
      registers,
    }),
    commitBatchSize: new Histogram({
      name: 'instantly_commit_batch_size',
      help: 'Requests and delivery outcomes that shared one commit.',
      buckets: BATCH_BUCKETS,
      registers,
    }),
    commitFailures: new Counter({
      name: 'instantly_commit_failures_total',
      help: 'Commits that the store could not make or did not confirm.',
      registers,
    }),
    auditTampered: new Counter({
      name: 'instantly_audit_tampered_total',
      help: 'Times that this process found the stored audit log other than it was left.',
      registers,
    }),
    auditEntries: new Counter({
      name: 'instantly_audit_entries_total',
      help: 'Requests and actions audited, those counted in one entry included, by result.',
      labelNames: ['result'] as const,
      registers,
    }),
  };
}
