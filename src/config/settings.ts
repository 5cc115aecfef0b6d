import type { Secret } from './secret.ts';

export type SignatureScheme = 'body' | 'timestamped' | 'standard-webhooks';

/** Where a key came from, for the start-up notice and the doctor; never its value. */
export type SecretOrigin = 'environment' | 'file' | 'generated';

/** The whole configuration, checked and frozen. Times are in milliseconds, sizes in bytes, unless the name says otherwise. */
export interface Settings {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  readonly webhookPath: string;
  readonly authentication: AuthenticationSettings;
  readonly store: { readonly kind: 'sqlite'; readonly file: string };
  /** The folder of the SQLite file: generated secrets lie here. */
  readonly dataDir: string;
  readonly role: 'all';
  readonly handlers: HandlerSettings;
  readonly http: HttpSettings;
  readonly audit: AuditSettings;
  readonly retentionMs: number;
  readonly minFreeDiskBytes: number;
  readonly metricsToken: Secret | undefined;
  readonly adminToken: Secret | undefined;
  readonly publicUrl: string | undefined;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** Not faults, but worth a line in the log at the start. */
  readonly warnings: readonly string[];
}

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

export interface HandlerSettings {
  readonly dir: string;
  /** Deliveries of one handler that run at once. */
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  readonly orderHoldMs: number;
}

export interface HttpSettings {
  readonly bodyLimitBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxConnections: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly failedAuthPerMinute: number;
  /** Number of proxies whose X-Forwarded-For is believed. */
  readonly trustProxy: number;
}

export interface AuditSettings {
  readonly key: Secret;
  readonly anonymousPerMinute: number;
  readonly retentionMs: number;
}
