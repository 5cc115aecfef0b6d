import { Gauge } from 'prom-client';
import { both, type Registries } from './registries.ts';

export interface SecretReadings {
  /** Epoch milliseconds. Names are settings with a position (`INSTANTLY_SECRET:1`), so their number is that of the keys configured. */
  readonly since: () => ReadonlyMap<string, number>;
  /** By the setting of an API key; absent: its scopes are not known. */
  readonly excess: () => ReadonlyMap<string, readonly string[]>;
}

export function createSecretMetrics(registries: Registries, { since, excess }: SecretReadings): void {
  const registers = both(registries);
  new Gauge({
    name: 'instantly_secret_age_seconds',
    help: 'Time since this receiver first saw each secret, or since Instantly made an API key.',
    labelNames: ['secret'] as const,
    registers,
    collect() {
      // Those that are gone must not go on ageing.
      this.reset();
      for (const [secret, at] of since()) this.set({ secret }, Math.max(0, (Date.now() - at) / 1_000));
    },
  });
  new Gauge({
    name: 'instantly_excess_scopes',
    help: 'Scopes of each API key beyond what its environment may hold; none where they are not known.',
    labelNames: ['key'] as const,
    registers,
    collect() {
      this.reset();
      for (const [key, scopes] of excess()) this.set({ key }, scopes.length);
    },
  });
}
