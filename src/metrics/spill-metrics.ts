import { Gauge } from 'prom-client';
import { both, type Registries } from './registries.ts';

export function createSpillMetrics(registries: Registries, spilledEvents: () => number) {
  return {
    spilled: new Gauge({
      name: 'instantly_spilled_events',
      help: 'Events that are on the disk of this machine alone, because PostgreSQL was away when they came.',
      registers: both(registries),
      collect() {
        this.set(spilledEvents());
      },
    }),
  };
}
