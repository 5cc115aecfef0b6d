/** One setting as a user meets it: in the environment, in `.env.example` and in the README's table. */
interface CatalogueEntry {
  readonly group: string;
  /** As it would be written in `.env`; empty: there is none. */
  readonly default: string;
  /** One short sentence. */
  readonly meaning: string;
  /** Never printed; may also come as a file named by NAME_FILE. */
  readonly secret?: true;
}

const API = 'Instantly API';
const LOG = 'Audit, metrics and log';

/** Every setting there is, in the order of `.env.example`. Defaults, messages and the documents' tests derive from it. */
export const CATALOGUE = {
  NODE_ENV: { group: 'Environment', default: '', meaning: 'production: refuse to start without a secret of your own.' },
  HOST: { group: 'Listening', default: '0.0.0.0', meaning: 'Address to listen on.' },
  PORT: { group: 'Listening', default: '3000', meaning: 'Port to listen on; 0 lets the system choose one.' },
  WEBHOOK_PATH: { group: 'Listening', default: '/webhooks/instantly', meaning: 'Path that Instantly posts to.' },
  PUBLIC_URL: {
    group: 'Listening',
    default: '',
    meaning: 'Where Instantly reaches this receiver, such as https://hooks.example.com.',
  },
  INSTANTLY_WEBHOOK_TOKEN: {
    group: 'Authentication',
    default: '',
    meaning:
      'Values Instantly repeats in a header, comma-separated, the current one first; 16 characters or more each.',
    secret: true,
  },
  INSTANTLY_WEBHOOK_TOKEN_HEADER: {
    group: 'Authentication',
    default: 'x-webhook-secret',
    meaning: 'The header that carries the token; authorization takes Bearer, Basic and the bare value.',
  },
  INSTANTLY_SECRET: {
    group: 'Authentication',
    default: '',
    meaning: 'HMAC-SHA256 keys of a signing relay, comma-separated, the current one first; 16 characters or more each.',
    secret: true,
  },
  INSTANTLY_SIGNATURE_SCHEME: {
    group: 'Authentication',
    default: 'body',
    meaning: 'How requests are signed: body, timestamped, standard-webhooks, hookdeck, svix or convoy.',
  },
  INSTANTLY_SIGNATURE_HEADER: {
    group: 'Authentication',
    default: 'x-instantly-signature',
    meaning: 'The header that carries the signature, for body and timestamped.',
  },
  INSTANTLY_TIMESTAMP_HEADER: {
    group: 'Authentication',
    default: 'x-instantly-timestamp',
    meaning: 'The header that carries the Unix seconds, for timestamped.',
  },
  INSTANTLY_SIGNATURE_TOLERANCE_SECONDS: {
    group: 'Authentication',
    default: '300',
    meaning: 'How far a signed timestamp may be off, both ways.',
  },
  INSTANTLY_REQUIRE: {
    group: 'Authentication',
    default: 'any',
    meaning: 'any: signature or token lets a request in; both: it needs the two.',
  },
  FAILED_AUTH_PER_MINUTE: {
    group: 'Authentication',
    default: '100',
    meaning: 'Failed authentications from one address before it gets 429 instead of 401.',
  },
  DATABASE_URL: {
    group: 'Storage',
    default: 'sqlite:data/receiver.db',
    meaning: 'Where events lie: sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full.',
    secret: true,
  },
  SPILL_DATABASE_URL: {
    group: 'Storage',
    default: 'sqlite:data/spill.db',
    meaning: 'With PostgreSQL: the SQLite file that takes events while it is away; not used with SQLite.',
  },
  SPILL_LIMIT: { group: 'Storage', default: '1gb', meaning: 'Largest size of that file; above it 503 is answered.' },
  ROLE: {
    group: 'Storage',
    default: 'all',
    meaning: 'all; with PostgreSQL also receiver (takes webhooks only) or worker (runs handlers only).',
  },
  RETENTION_DAYS: {
    group: 'Storage',
    default: '30',
    meaning: 'Days that finished events and their deduplication keys are kept.',
  },
  MAX_EVENT_AGE: {
    group: 'Storage',
    default: 'off',
    meaning: 'Age (24h, 7d) from which an event, by its own timestamp, is kept in quarantine; against replays.',
  },
  MIN_FREE_DISK: {
    group: 'Storage',
    default: '200mb',
    meaning: 'Free space below which only authentic requests are written.',
  },
  HANDLERS_DIR: {
    group: 'Handlers',
    default: 'handlers',
    meaning: 'Folder of handler files (.ts, .js, .mjs); unset, it may be absent.',
  },
  STRICT_HANDLERS: {
    group: 'Handlers',
    default: '',
    meaning: 'on or off: a faulty handler file ends the start; off in production, where its deliveries wait.',
  },
  HANDLER_CONCURRENCY: { group: 'Handlers', default: '16', meaning: 'Deliveries of one handler that run at once.' },
  HANDLER_TIMEOUT_SECONDS: { group: 'Handlers', default: '30', meaning: 'Seconds one attempt may take.' },
  HANDLER_MAX_ATTEMPTS: { group: 'Handlers', default: '12', meaning: 'Attempts before a delivery is dead.' },
  HANDLER_BACKOFF_BASE_SECONDS: {
    group: 'Handlers',
    default: '5',
    meaning: 'Base of the wait between attempts, which doubles each time, with full jitter.',
  },
  HANDLER_BACKOFF_CAP_SECONDS: { group: 'Handlers', default: '21600', meaning: 'Longest wait between two attempts.' },
  ORDER_HOLD_SECONDS: {
    group: 'Handlers',
    default: '60',
    meaning: 'How long a failing delivery may hold back the next ones of the same lead.',
  },
  BODY_LIMIT: { group: 'Limits', default: '10mb', meaning: 'Largest body; replies carry inline images.' },
  MAX_BUFFERED: { group: 'Limits', default: '64mb', meaning: 'Bodies held in memory at once.' },
  MAX_CONNECTIONS: { group: 'Limits', default: '2000', meaning: 'Connections open at once.' },
  MAX_UNPROVEN_PER_ADDRESS: {
    group: 'Limits',
    default: '200',
    meaning: 'Unproven connections of one address; without TRUST_PROXY.',
  },
  HEADERS_TIMEOUT_SECONDS: {
    group: 'Limits',
    default: '10',
    meaning: 'Seconds in which the header fields must have arrived.',
  },
  REQUEST_TIMEOUT_SECONDS: {
    group: 'Limits',
    default: '30',
    meaning: 'Seconds in which the whole request must have arrived.',
  },
  TRUST_PROXY: {
    group: 'Limits',
    default: '0',
    meaning: 'Number of proxies in front whose X-Forwarded-For is believed.',
  },
  AUDIT_KEY: {
    group: LOG,
    default: '',
    meaning:
      'Key of the audit chain; unset, one is made once in the data folder. With PostgreSQL, one for all processes.',
    secret: true,
  },
  AUDIT_ANONYMOUS_PER_MINUTE: {
    group: LOG,
    default: '600',
    meaning: 'Anonymous requests a minute that get an audit entry and a log line of their own; the rest is counted.',
  },
  AUDIT_RETENTION_DAYS: { group: LOG, default: '400', meaning: 'Days that audit entries are kept.' },
  AUDIT_ANONYMOUS_RETENTION_DAYS: {
    group: LOG,
    default: '7',
    meaning: 'Days that entries of anonymous requests are kept, AUDIT_RETENTION_DAYS at the most.',
  },
  METRICS_TOKEN: { group: LOG, default: '', meaning: 'Bearer token that GET /metrics then asks for.', secret: true },
  METRICS_ALLOW: {
    group: LOG,
    default: 'loopback',
    meaning:
      'Networks that GET /metrics answers while METRICS_TOKEN is unset (loopback, private, all, or 10.1.0.0/16).',
  },
  ADMIN_TOKEN: {
    group: LOG,
    default: '',
    meaning: 'Bearer token of the operator console, reserved for a coming release.',
    secret: true,
  },
  LOG_LEVEL: { group: LOG, default: 'info', meaning: 'fatal, error, warn, info, debug, trace or silent.' },
  LOG_AUDIT: {
    group: LOG,
    default: 'all',
    meaning: 'Audit entries in the log: all, requests or off. Reserved for a coming release: it has no effect yet.',
  },
  OPERATOR: {
    group: LOG,
    default: '',
    meaning: "Name of the person who runs commands, for the audit; unset, the system's user.",
  },
  INSTANTLY_API_KEY: { group: API, default: '', meaning: 'API key for what has none of its own below.', secret: true },
  INSTANTLY_READ_KEY: {
    group: API,
    default: '',
    meaning: 'API key for reading; falls back to INSTANTLY_API_KEY.',
    secret: true,
  },
  INSTANTLY_WRITE_KEY: {
    group: API,
    default: '',
    meaning: 'API key for writing; falls back to INSTANTLY_API_KEY.',
    secret: true,
  },
  INSTANTLY_API_URL: { group: API, default: 'https://api.instantly.ai', meaning: 'Base address of the API.' },
  INSTANTLY_AS_WORKSPACE: { group: API, default: '', meaning: "Sub-workspace that an agency's key acts on." },
  HTTPS_PROXY: { group: API, default: '', meaning: 'Proxy for calls to Instantly, such as http://HOST:PORT.' },
  NO_PROXY: { group: API, default: '', meaning: 'Hosts that are called without it, comma-separated.' },
  INSTANTLY_AUTO_RESUME: {
    group: API,
    default: '',
    meaning: 'on or off: resume a webhook that Instantly has disabled; on where there is a key for writing.',
  },
  INSTANTLY_WATCH_SECONDS: {
    group: API,
    default: '300',
    meaning: 'Seconds between two looks at the registration and the delivery log; none without a key for reading.',
  },
  INSTANTLY_SCOPES: { group: API, default: 'warn', meaning: 'strict: a key with excess scopes is not used.' },
  SECRET_MAX_AGE_DAYS: { group: API, default: '90', meaning: 'Age from which a secret has to be rotated.' },
} as const satisfies Record<string, CatalogueEntry>;

export type SettingName = keyof typeof CATALOGUE;

/** The names in the catalogue's order. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(CATALOGUE).filter(isSettingName);

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(CATALOGUE, name);
}

/** Whether the value must never be shown, and may come as NAME_FILE. */
export function isSecretSetting(name: SettingName): boolean {
  const entry: CatalogueEntry = CATALOGUE[name];
  return entry.secret === true;
}

/** Whether a variable holds a secret of ours or names its file; in whatever case, since Windows knows no difference. */
export function isSecretVariable(variable: string): boolean {
  const name = variable.toUpperCase();
  return [name, name.replace(/_FILE$/, '')].some((one) => isSettingName(one) && isSecretSetting(one));
}
