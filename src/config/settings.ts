import type { Networks } from './parse-networks.ts';
import type { Secret } from './secret.ts';
import type { SignatureScheme } from './signature-schemes.ts';

/** Where a key came from, for the start-up notice and the doctor; never its value. */
export type SecretOrigin = 'environment' | 'file' | 'generated';

/** A secret that nobody set, so that one was made and kept in the data folder. */
export interface GeneratedSecret {
  /** The setting it stands in for. */
  readonly name: 'INSTANTLY_SECRET' | 'INSTANTLY_WEBHOOK_TOKEN' | 'AUDIT_KEY';
  /** Absolute path. */
  readonly file: string;
  /** Made by this start; otherwise read from an earlier one. */
  readonly created: boolean;
}

/** The whole configuration, checked and frozen. Times are in milliseconds, sizes in bytes, unless the name says otherwise. */
export interface Settings {
  readonly production: boolean;
  /** NODE_ENV as it is set. */
  readonly nodeEnv: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly webhookPath: string;
  readonly authentication: AuthenticationSettings;
  readonly store: StoreSettings;
  /** The folder of the SQLite file, or of the spill beside PostgreSQL: generated secrets lie here. */
  readonly dataDir: string;
  /** `receiver` runs no handlers, `worker` takes no webhooks. */
  readonly role: 'all' | 'receiver' | 'worker';
  readonly handlers: HandlerSettings;
  readonly http: HttpSettings;
  readonly audit: AuditSettings;
  readonly retentionMs: number;
  /** From which an event is not taken; `undefined`: whatever its age. */
  readonly maxEventAgeMs: number | undefined;
  readonly minFreeDiskBytes: number;
  readonly metricsToken: Secret | undefined;
  /** Whom /metrics answers while no token is set. */
  readonly metricsAllow: Networks;
  readonly adminToken: Secret | undefined;
  /** Without a slash at its end. */
  readonly publicUrl: string | undefined;
  /** Absent fields of it: Instantly is not called for that. */
  readonly instantly: InstantlySettings;
  /** Milliseconds after which a secret should be another one. */
  readonly secretMaxAgeMs: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** Which audit entries are printed. */
  readonly logAudit: 'all' | 'requests' | 'off';
  /** Who runs commands, as a plain word of 64 characters at the most. A claim, which nothing proves. */
  readonly operator: string;
  /** Secrets in use that lie in the data folder because none was set. */
  readonly generatedSecrets: readonly GeneratedSecret[];
  /** By the setting's name; a secret that is not in use is absent. */
  readonly secretOrigins: Readonly<Record<string, SecretOrigin>>;
  /** Absolute paths of the files that NAME_FILE variables name, by NAME. */
  readonly secretFiles: Readonly<Record<string, string>>;
  /** Not faults, but worth a line in the log at the start. */
  readonly warnings: readonly string[];
}

export type StoreSettings =
  | { readonly kind: 'sqlite'; readonly file: string }
  | {
      readonly kind: 'postgres';
      readonly url: Secret;
      /** `postgres://host:port/database`, for people: without user, password and query. */
      readonly location: string;
      /** The SQLite file that takes what PostgreSQL cannot. */
      readonly spill: { readonly file: string; readonly maxBytes: number };
    };

/** Both kinds empty: only with the role `worker`, or in a process that may make none. */
export interface AuthenticationSettings {
  /** In order of preference, the current one first. Empty: the scheme is off. */
  readonly signatureKeys: readonly Secret[];
  readonly signatureScheme: SignatureScheme;
  /** Lower case. */
  readonly signatureHeader: string;
  /** Lower case. */
  readonly timestampHeader: string;
  readonly toleranceSeconds: number;
  readonly tokens: readonly Secret[];
  /** Lower case. */
  readonly tokenHeader: string;
  readonly require: 'any' | 'both';
}

export interface InstantlySettings {
  /** Without a slash at its end. */
  readonly apiUrl: string;
  /** The sub-workspace that the keys act on. */
  readonly asWorkspace: string | undefined;
  /** `undefined`: calls go straight, as those to an http address of this machine always do. */
  readonly proxy: ProxySettings | undefined;
  /** For operations that change nothing. */
  readonly readKey: ApiKey | undefined;
  /** For the others; no reading path is given it. */
  readonly writeKey: ApiKey | undefined;
  /** Each of the two keys, or the one that is both. */
  readonly keys: readonly KeyInUse[];
  /** Whether a key that may do more than its environment may hold is not used. */
  readonly strictScopes: boolean;
  /** NODE_ENV as it is set: it decides what a key may hold. */
  readonly nodeEnv: string | undefined;
  /** PUBLIC_URL and WEBHOOK_PATH: the target that a webhook of ours has. `undefined` without PUBLIC_URL. */
  readonly webhookUrl: string | undefined;
  readonly autoResume: boolean;
  readonly watchMs: number;
}

export interface ProxySettings {
  readonly url: Secret;
  /** The same for people, without user and password. */
  readonly location: string;
  /** NO_PROXY as it is written. */
  readonly except: string | undefined;
}

export interface ApiKey {
  /** The setting that holds it. */
  readonly setting: 'INSTANTLY_API_KEY' | 'INSTANTLY_READ_KEY' | 'INSTANTLY_WRITE_KEY';
  readonly secret: Secret;
}

/** What a key is set for. */
export type KeyPurpose = 'reading' | 'writing' | 'both';

export interface KeyInUse {
  readonly key: ApiKey;
  readonly purpose: KeyPurpose;
}

export interface HandlerSettings {
  /** Absolute path; may be absent. */
  readonly dir: string;
  /** Whether a faulty handler file ends the start. */
  readonly strict: boolean;
  /** Deliveries of one handler that run at once. */
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  readonly orderHoldMs: number;
  /** Those of `.env` that are no settings of ours, for handlers. Some will be secrets of other services. */
  readonly variables: Readonly<Record<string, Secret>>;
}

export interface HttpSettings {
  readonly bodyLimitBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxConnections: number;
  /** Connections of one address that have sent nothing authentic. */
  readonly maxUnprovenPerAddress: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly failedAuthPerMinute: number;
  /** Number of proxies whose X-Forwarded-For is believed. */
  readonly trustProxy: number;
}

export interface AuditSettings {
  /** Reading it throws `SettingsError` where settings were loaded with `create: false` and no key exists yet: only
   * commands that need the key are to fail for want of it. */
  readonly key: Secret;
  readonly anonymousPerMinute: number;
  readonly retentionMs: number;
  /** Of entries of strangers; never longer. */
  readonly anonymousRetentionMs: number;
}
