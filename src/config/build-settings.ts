import { dirname, resolve } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import { MISSING_AUDIT_KEY } from './check-together.ts';
import { findLocalFile } from './find-local-file.ts';
import type { SecretsInUse } from './gather-secrets.ts';
import { keptSecretFile } from './keep-secrets.ts';
import { operatorName } from './operator-name.ts';
import { parseProxyUrl } from './parse-url.ts';
import type { Environment } from './read-environment.ts';
import { show } from './read-text-file.ts';
import { Secret } from './secret.ts';
import type {
  ApiKey,
  AuditSettings,
  AuthenticationSettings,
  InstantlySettings,
  KeyInUse,
  ProxySettings,
  Settings,
  StoreSettings,
} from './settings.ts';
import type { ParsedSettings } from './settings-schema.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

/** Puts checked values into the shape and the units the rooms work with. */
export function buildSettings(
  parsed: ParsedSettings,
  secrets: SecretsInUse,
  environment: Pick<Environment, 'others'>,
  cwd: string,
  warnings: readonly string[],
): Settings {
  return Object.freeze({
    production: parsed.NODE_ENV === 'production',
    nodeEnv: parsed.NODE_ENV,
    host: parsed.HOST,
    port: parsed.PORT,
    webhookPath: parsed.WEBHOOK_PATH,
    authentication: buildAuthentication(parsed, secrets),
    store: buildStore(parsed),
    dataDir: dirname(findLocalFile(parsed).file),
    role: parsed.ROLE,
    handlers: Object.freeze({
      dir: resolve(cwd, parsed.HANDLERS_DIR),
      strict: (parsed.STRICT_HANDLERS ?? (parsed.NODE_ENV === 'production' ? 'off' : 'on')) === 'on',
      concurrency: parsed.HANDLER_CONCURRENCY,
      timeoutMs: parsed.HANDLER_TIMEOUT_SECONDS * SECOND,
      maxAttempts: parsed.HANDLER_MAX_ATTEMPTS,
      backoffBaseMs: parsed.HANDLER_BACKOFF_BASE_SECONDS * SECOND,
      backoffCapMs: parsed.HANDLER_BACKOFF_CAP_SECONDS * SECOND,
      orderHoldMs: parsed.ORDER_HOLD_SECONDS * SECOND,
      variables: Object.freeze(
        Object.fromEntries([...environment.others].map(([name, value]) => [name, new Secret(value)])),
      ),
    }),
    http: Object.freeze({
      bodyLimitBytes: parsed.BODY_LIMIT,
      maxBufferedBytes: parsed.MAX_BUFFERED,
      maxConnections: parsed.MAX_CONNECTIONS,
      maxUnprovenPerAddress: parsed.MAX_UNPROVEN_PER_ADDRESS,
      headersTimeoutMs: parsed.HEADERS_TIMEOUT_SECONDS * SECOND,
      requestTimeoutMs: parsed.REQUEST_TIMEOUT_SECONDS * SECOND,
      failedAuthPerMinute: parsed.FAILED_AUTH_PER_MINUTE,
      trustProxy: parsed.TRUST_PROXY,
    }),
    audit: buildAudit(parsed, secrets.auditKey),
    retentionMs: parsed.RETENTION_DAYS * DAY,
    maxEventAgeMs: parsed.MAX_EVENT_AGE,
    minFreeDiskBytes: parsed.MIN_FREE_DISK,
    metricsToken: parsed.METRICS_TOKEN,
    metricsAllow: parsed.METRICS_ALLOW,
    adminToken: parsed.ADMIN_TOKEN,
    publicUrl: parsed.PUBLIC_URL,
    instantly: buildInstantly(parsed),
    secretMaxAgeMs: parsed.SECRET_MAX_AGE_DAYS * DAY,
    logLevel: parsed.LOG_LEVEL,
    logAudit: parsed.LOG_AUDIT,
    operator: operatorName(parsed.OPERATOR),
    generatedSecrets: Object.freeze(secrets.generated.map((secret) => Object.freeze(secret))),
    secretOrigins: Object.freeze(secrets.origins),
    secretFiles: Object.freeze(secrets.files),
    warnings: Object.freeze(warnings),
  });
}

function buildInstantly(parsed: ParsedSettings): InstantlySettings {
  const keyOf = (setting: 'INSTANTLY_READ_KEY' | 'INSTANTLY_WRITE_KEY'): ApiKey | undefined => {
    const own = parsed[setting];
    if (own !== undefined) return Object.freeze({ setting, secret: own });
    const shared = parsed.INSTANTLY_API_KEY;
    return shared && Object.freeze({ setting: 'INSTANTLY_API_KEY', secret: shared });
  };
  const readKey = keyOf('INSTANTLY_READ_KEY');
  const writeKey = keyOf('INSTANTLY_WRITE_KEY');
  return Object.freeze({
    apiUrl: parsed.INSTANTLY_API_URL,
    asWorkspace: parsed.INSTANTLY_AS_WORKSPACE,
    proxy: buildProxy(parsed),
    readKey,
    writeKey,
    keys: Object.freeze(listKeys(readKey, writeKey)),
    strictScopes: parsed.INSTANTLY_SCOPES === 'strict',
    nodeEnv: parsed.NODE_ENV,
    webhookUrl: parsed.PUBLIC_URL === undefined ? undefined : parsed.PUBLIC_URL + parsed.WEBHOOK_PATH,
    autoResume: (parsed.INSTANTLY_AUTO_RESUME ?? 'on') === 'on' && writeKey !== undefined,
    watchMs: parsed.INSTANTLY_WATCH_SECONDS * SECOND,
  });
}

function listKeys(readKey: ApiKey | undefined, writeKey: ApiKey | undefined): KeyInUse[] {
  if (readKey !== undefined && readKey.secret.reveal() === writeKey?.secret.reveal())
    return [{ key: readKey, purpose: 'both' }];
  return [
    ...(readKey === undefined ? [] : [{ key: readKey, purpose: 'reading' as const }]),
    ...(writeKey === undefined ? [] : [{ key: writeKey, purpose: 'writing' as const }]),
  ];
}

function buildProxy({ HTTPS_PROXY: given, NO_PROXY: except, ...parsed }: ParsedSettings): ProxySettings | undefined {
  if (given === undefined || parsed.INSTANTLY_API_URL.startsWith('http:')) return undefined;
  const read = parseProxyUrl(given.reveal());
  // One that cannot be used is a fault where a key is set, and else nothing goes through it.
  if ('faults' in read) return undefined;
  return Object.freeze({ url: new Secret(read.value.href), location: read.value.origin, except });
}

function buildStore(parsed: ParsedSettings): StoreSettings {
  const { DATABASE_URL: database } = parsed;
  if (database.kind === 'sqlite') return Object.freeze(database);
  const { kind, url, location } = database;
  const spill = Object.freeze({ file: parsed.SPILL_DATABASE_URL, maxBytes: parsed.SPILL_LIMIT });
  return Object.freeze({ kind, url, location, spill });
}

function buildAuthentication(parsed: ParsedSettings, secrets: SecretsInUse): AuthenticationSettings {
  return Object.freeze({
    signatureKeys: Object.freeze(secrets.signatureKeys),
    signatureScheme: parsed.INSTANTLY_SIGNATURE_SCHEME,
    signatureHeader: parsed.INSTANTLY_SIGNATURE_HEADER,
    timestampHeader: parsed.INSTANTLY_TIMESTAMP_HEADER,
    toleranceSeconds: parsed.INSTANTLY_SIGNATURE_TOLERANCE_SECONDS,
    tokens: Object.freeze(secrets.tokens),
    tokenHeader: parsed.INSTANTLY_WEBHOOK_TOKEN_HEADER,
    require: parsed.INSTANTLY_REQUIRE,
  });
}

function buildAudit(parsed: ParsedSettings, key: Secret | undefined): AuditSettings {
  const rest = {
    anonymousPerMinute: parsed.AUDIT_ANONYMOUS_PER_MINUTE,
    retentionMs: parsed.AUDIT_RETENTION_DAYS * DAY,
    anonymousRetentionMs: Math.min(parsed.AUDIT_ANONYMOUS_RETENTION_DAYS, parsed.AUDIT_RETENTION_DAYS) * DAY,
  };
  if (key !== undefined) return Object.freeze({ key, ...rest });
  const fault = explainMissingKey(parsed);
  return Object.freeze({
    get key(): Secret {
      throw new SettingsError([fault]);
    },
    ...rest,
  });
}

function explainMissingKey(parsed: ParsedSettings): string {
  const shared = parsed.DATABASE_URL.kind === 'postgres';
  if (shared && parsed.NODE_ENV === 'production') return MISSING_AUDIT_KEY;
  const file = keptSecretFile(dirname(findLocalFile(parsed).file), 'AUDIT_KEY');
  const other = shared ? 'to the one of the processes on this database' : 'or start the receiver once from this folder';
  return `AUDIT_KEY is not set and ${show(file)} does not exist; set AUDIT_KEY${shared ? ' ' : ', '}${other}`;
}
