import { Gauge } from 'prom-client';
import { both, type Registries } from './registries.ts';

/** Names are settings with a position (`INSTANTLY_SECRET:1`), so their number is that of the keys configured. */
export function createSecretMetrics(registries: Registries, firstSeen: () => ReadonlyMap<string, number>) {
  return new Gauge({
    name: 'instantly_secret_age_seconds',
    help: 'Time since this receiver first saw each secret.',
    labelNames: ['secret'] as const,
    registers: both(registries),
    collect() {
      // Those that are gone must not go on ageing.
      this.reset();
      for (const [secret, at] of firstSeen()) this.set({ secret }, Math.max(0, (Date.now() - at) / 1_000));
    },
  });
}
