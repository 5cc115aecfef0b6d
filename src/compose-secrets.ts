import type { Logger } from 'pino';
import { createTokenReader, type ReadToken } from './authenticate/index.ts';
import { carriedTokens } from './carried-tokens.ts';
import type { Metrics } from './compose-metrics.ts';
import type { Settings } from './config/settings.ts';
import { fingerprintApiKeys } from './fingerprint-secrets.ts';
import type { AuditTrail } from './inbox/audit-trail.ts';
import type { Store } from './inbox/store.ts';
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
  start(): void;
  stop(): Promise<void>;
}

/** Ready for the first request; looks for changes once started. */
export async function composeSecrets(parts: SecretParts): Promise<LiveSecrets> {
  const { settings, store, trail, logger, owner } = parts;
  const record: AuditTrail['record'] = (entry) => trail.record(entry);
  const live = new LiveSettings({ settings, load: parts.load, record, logger });
  const ages = new SecretAges(store, logger);
  const tokens =
    settings.role === 'worker'
      ? undefined
      : new TokenSource({
          store,
          settings: () => live.current,
          copy: TokenCopy.fileIn(settings.dataDir),
          carried: carriedTokens(() => live.current, record, logger),
          record,
          onChange: (minted) => void ages.refresh(live.current, minted),
          onReplaced: () => live.reload('a rotation has replaced a token of the settings'),
          logger,
        });
  await tokens?.load();
  await ages.refresh(settings, tokens?.mintedFingerprints ?? []);
  createSecretMetrics(parts.metrics.registries, () => ages.firstSeen);
  let readMetricsToken = metricsTokenReader(settings);
  live.onChange(async () => {
    readMetricsToken = metricsTokenReader(live.current);
    await tokens?.refresh();
    void ages.refresh(live.current, tokens?.mintedFingerprints ?? []);
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
    }),
    logger,
  });
  return {
    live,
    tokens,
    readMetricsToken: () => readMetricsToken,
    start: () => {
      live.start();
      tokens?.start();
      presence.start();
    },
    stop: async () => {
      live.stop();
      await tokens?.stop();
      await presence.stop();
    },
  };
}

function metricsTokenReader({ metricsToken }: Settings): ReadToken | undefined {
  return metricsToken && createTokenReader([metricsToken], 'authorization');
}
