import { Counter, Gauge } from 'prom-client';
import { both, type Registries } from './registries.ts';

export interface RegistrationReadings {
  /** By the webhook's id: 1 active, -1 disabled, -2 its token is refused here, 0 not known. */
  readonly status: ReadonlyMap<string, number>;
  /** Emails that campaigns have sent since the last event arrived. */
  readonly sentWithoutEvent: number;
}

/** Our own webhooks alone, so the number of labels is that of the registrations somebody made. */
export function createRegistrationMetrics(registries: Registries, read: () => RegistrationReadings | undefined) {
  const registers = both(registries);
  new Gauge({
    name: 'instantly_registration_status',
    help: 'Status of our webhooks at Instantly by id: 1 active, -1 disabled, -2 its token is refused here, 0 not known.',
    labelNames: ['webhook'] as const,
    registers,
    collect() {
      this.reset();
      for (const [webhook, status] of read()?.status ?? []) this.set({ webhook }, status);
    },
  });
  new Gauge({
    name: 'instantly_sent_without_event',
    help: 'Emails that campaigns have sent since the last event arrived, by what Instantly tells.',
    registers,
    collect() {
      this.set(read()?.sentWithoutEvent ?? 0);
    },
  });
  return new Counter({
    name: 'instantly_reconciled_events_total',
    help: "Events that had not arrived and were fetched back from Instantly's delivery log.",
    registers,
  });
}
