import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { createTokenReader, type ReadToken } from './authenticate/index.ts';
import { carriedTokens } from './carried-tokens.ts';
import type { Metrics } from './compose-metrics.ts';
import type { Settings } from './config/settings.ts';
import { fingerprintApiKeys } from './fingerprint-secrets.ts';
import type { AuditTrail } from './inbox/audit-trail.ts';
import type { Store } from './inbox/store.ts';
import type { KeyWatch, KeyWatchOptions } from './instantly/key-watch.ts';
import { LiveSettings } from './live-settings.ts';
import { createSecretMetrics } from './metrics/secret-metrics.ts';
import { PresenceReporter } from './presence-reporter.ts';
import { SecretAges } from './secret-ages.ts';
import { TokenCopy } from './token-copy.ts';
import { TokenSource } from './token-source.ts';

export interface SecretParts {
  readonly settings: Settings;
  /** Reads the settings anew. @throws SettingsError */
  readonly load: () => Settings;
  /** Names this process. */
  readonly owner: string;
  readonly store: Store;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly metrics: Pick<Metrics, 'registries'>;
  readonly logger: Logger;
}

/** Everything that may change while the service runs. */
export interface LiveSecrets {
  readonly live: LiveSettings;
  /** `undefined`: this process takes no webhooks. */
  readonly tokens: TokenSource | undefined;
  readonly readMetricsToken: () => ReadToken | undefined;
  /** For /readyz. */
  readonly details: {
    /** Secrets beyond SECRET_MAX_AGE_DAYS. */
    readonly oldSecrets: () => Promise<number>;
    /** Scopes of API keys beyond what the environment may hold. */
    readonly excessScopes: () => Promise<number>;
  };
  start(): void;
  stop(): Promise<void>;
}

/** Ready for the first request; looks for changes once started. */
export async function composeSecrets(parts: SecretParts): Promise<LiveSecrets> {
  const { settings, store, trail, logger, owner } = parts;
  const record: AuditTrail['record'] = (entry) => trail.record(entry);
  const live = new LiveSettings({ settings, load: parts.load, record, logger });
  const ages = new SecretAges(store, logger);
  const refreshAges = () =>
    ages.refresh(live.current, { minted: tokens?.mintedFingerprints ?? [], replaced: tokens?.replaced ?? [] });
  const tokens =
    settings.role === 'worker'
      ? undefined
      : new TokenSource({
          store,
          settings: () => live.current,
          copy: TokenCopy.fileIn(settings.dataDir),
          carried: carriedTokens(() => live.current, record, logger),
          record,
          onChange: () => void refreshAges(),
          onReplaced: () => live.reload('a rotation has replaced a token of the settings'),
          logger,
        });
  await tokens?.load();
  await refreshAges();
  const keys = new KeySource({ ...parts, live, onMade: (madeAt) => ages.setMadeAt(madeAt) });
  await keys.refresh();
  createSecretMetrics(parts.metrics.registries, { since: () => ages.since, excess: () => keys.excess });
  let readMetricsToken = metricsTokenReader(settings);
  live.onChange(async () => {
    readMetricsToken = metricsTokenReader(live.current);
    await tokens?.refresh();
    await keys.refresh();
    void refreshAges();
  });
  const presence = new PresenceReporter({
    store,
    owner,
    isAlone: settings.store.kind === 'sqlite',
    read: () => ({
      role: settings.role,
      tokens: [...(tokens?.accepted ?? [])],
      doubtful: [...(tokens?.doubtful ?? [])],
      apiKeys: fingerprintApiKeys(live.current),
      process: `process ${process.pid} on ${hostname()}`,
    }),
    logger,
  });
  return {
    live,
    tokens,
    readMetricsToken: () => readMetricsToken,
    details: {
      oldSecrets: async () => ages.old.size,
      excessScopes: async () => [...keys.excess.values()].flat().length,
    },
    start: () => {
      live.start();
      tokens?.start();
      presence.start();
      ages.start();
      keys.start();
    },
    stop: async () => {
      live.stop();
      await Promise.all([tokens?.stop(), ages.stop(), keys.stop()]);
      await presence.stop();
    },
  };
}

/** What looks after the API keys, where there are any. */
class KeySource {
  readonly #parts: SecretParts & { readonly live: LiveSettings; readonly onMade: KeyWatchOptions['onMade'] };
  #watch: KeyWatch | undefined;
  #seen: Settings['instantly'] | undefined;
  #hasStarted = false;

  constructor(parts: SecretParts & { readonly live: LiveSettings; readonly onMade: KeyWatchOptions['onMade'] }) {
    this.#parts = parts;
  }

  get excess(): ReadonlyMap<string, readonly string[]> {
    return this.#watch?.excess ?? new Map();
  }

  /** The settings are others now. */
  async refresh(): Promise<void> {
    const { live, store, owner, trail, logger, onMade } = this.#parts;
    // A reload of other settings leaves the same object.
    if (this.#seen === live.current.instantly) return;
    this.#seen = live.current.instantly;
    if (this.#watch !== undefined) {
      this.#watch.changed();
      return;
    }
    if (live.current.instantly.keys.length === 0) return;
    // Here and not above: who has no key need not wait for what they do not use.
    const { KeyWatch } = await import('./instantly/key-watch.ts');
    const record = (entry: Parameters<typeof trail.record>[0]): void => void trail.record(entry);
    this.#watch = new KeyWatch({ store, settings: () => live.current, owner, record, onMade, logger });
    if (this.#hasStarted) this.#watch.start();
  }

  start(): void {
    this.#hasStarted = true;
    this.#watch?.start();
  }

  async stop(): Promise<void> {
    this.#hasStarted = false;
    await this.#watch?.stop();
  }
}

function metricsTokenReader({ metricsToken }: Settings): ReadToken | undefined {
  return metricsToken && createTokenReader([metricsToken], 'authorization');
}
