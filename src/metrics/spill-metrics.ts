import { Gauge } from 'prom-client';
import { both, type Registries } from './registries.ts';

const FAULTS = ['outage', 'lasting'] as const;

export function createSpillMetrics(
  registries: Registries,
  spilledEvents: () => number,
  readFault: () => Promise<(typeof FAULTS)[number] | undefined>,
) {
  return {
    fault: new Gauge({
      name: 'instantly_store_fault',
      help: '1 while the store cannot be used: an outage may end by itself, a lasting fault waits for an operator.',
      labelNames: ['kind'] as const,
      registers: both(registries),
      async collect() {
        const found = await readFault();
        for (const kind of FAULTS) this.set({ kind }, kind === found ? 1 : 0);
      },
    }),
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
