import { z } from 'zod';
import { CATALOGUE, type SettingName } from './catalogue.ts';
import { parseDatabaseUrl } from './parse-database-url.ts';
import { parseHeaderName, parseHost, parseWebhookPath } from './parse-http-names.ts';
import { parseBearerToken, parseKeys, parseOneSecret } from './parse-keys.ts';
import { parseNetworks } from './parse-networks.ts';
import { parseDuration, parseWholeNumber } from './parse-number.ts';
import { parseSize } from './parse-size.ts';
import { parseHttpsUrl, parseSqliteUrl } from './parse-url.ts';
import { fault, type Parsed } from './parsed.ts';
import { Secret } from './secret.ts';
import { SCHEME_NAMES } from './signature-schemes.ts';

const DAY_SECONDS = 86_400;
const MINUTE_MS = 60_000;
const DAY_MS = DAY_SECONDS * 1_000;
const KB = 1024;
const MB = KB ** 2;
const GB = KB ** 3;

/** Above it the text of a body would not fit a JavaScript string. */
const MAX_BODY_BYTES = 256 * MB;

/** Takes a setting's text through a parser; the parser's faults become the schema's issues. */
function parsedBy<T>(parse: (text: string) => Parsed<T>) {
  return z.string().transform((text, context): T => {
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    for (const message of parsed.faults) context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** It travels as a header. */
function parseWorkspaceId(text: string): Parsed<string> {
  return /^[\w.-]{1,100}$/.test(text) ? { value: text } : fault("must be a workspace's id, as Instantly shows it");
}

const seconds = (min: number, max: number) => parsedBy((text) => parseWholeNumber(text, min, max, 'seconds'));
const days = (max: number) => parsedBy((text) => parseWholeNumber(text, 1, max, 'days'));
const count = (min: number, max: number) => parsedBy((text) => parseWholeNumber(text, min, max));
const size = (min: number, max: number) => parsedBy((text) => parseSize(text, min, max));
const word = <const T extends readonly string[]>(...words: T) =>
  z
    .string()
    .toLowerCase()
    .pipe(z.enum(words, { error: `must be one of ${words.join(', ')}` }));

/**
 * Every setting, from the text a user wrote to the value the program works with. Defaults are the catalogue's texts and
 * go the same way, so that a default the parser would refuse cannot exist.
 *
 * @param cwd what relative paths start from
 */
export function settingsSchema(cwd: string) {
  return z.object({
    NODE_ENV: z.string().optional(),
    HOST: parsedBy(parseHost).prefault(CATALOGUE.HOST.default),
    PORT: count(0, 65_535).prefault(CATALOGUE.PORT.default),
    WEBHOOK_PATH: parsedBy(parseWebhookPath).prefault(CATALOGUE.WEBHOOK_PATH.default),
    PUBLIC_URL: parsedBy(parseHttpsUrl).optional(),
    INSTANTLY_WEBHOOK_TOKEN: parsedBy(parseKeys).optional(),
    INSTANTLY_WEBHOOK_TOKEN_HEADER: parsedBy(parseHeaderName).prefault(
      CATALOGUE.INSTANTLY_WEBHOOK_TOKEN_HEADER.default,
    ),
    INSTANTLY_SECRET: parsedBy(parseKeys).optional(),
    INSTANTLY_SIGNATURE_SCHEME: word(...SCHEME_NAMES).prefault(CATALOGUE.INSTANTLY_SIGNATURE_SCHEME.default),
    INSTANTLY_SIGNATURE_HEADER: parsedBy(parseHeaderName).prefault(CATALOGUE.INSTANTLY_SIGNATURE_HEADER.default),
    INSTANTLY_TIMESTAMP_HEADER: parsedBy(parseHeaderName).prefault(CATALOGUE.INSTANTLY_TIMESTAMP_HEADER.default),
    INSTANTLY_SIGNATURE_TOLERANCE_SECONDS: seconds(1, DAY_SECONDS).prefault(
      CATALOGUE.INSTANTLY_SIGNATURE_TOLERANCE_SECONDS.default,
    ),
    INSTANTLY_REQUIRE: word('any', 'both').prefault(CATALOGUE.INSTANTLY_REQUIRE.default),
    FAILED_AUTH_PER_MINUTE: count(1, 1_000_000).prefault(CATALOGUE.FAILED_AUTH_PER_MINUTE.default),
    DATABASE_URL: parsedBy((text) => parseDatabaseUrl(text, cwd)).prefault(CATALOGUE.DATABASE_URL.default),
    SPILL_DATABASE_URL: parsedBy((text) => parseSqliteUrl(text, cwd)).prefault(CATALOGUE.SPILL_DATABASE_URL.default),
    SPILL_LIMIT: size(MB, 1024 * GB).prefault(CATALOGUE.SPILL_LIMIT.default),
    ROLE: word('all', 'receiver', 'worker').prefault(CATALOGUE.ROLE.default),
    RETENTION_DAYS: days(3650).prefault(CATALOGUE.RETENTION_DAYS.default),
    MAX_EVENT_AGE: parsedBy((text) => parseDuration(text, MINUTE_MS, 3650 * DAY_MS)).prefault(
      CATALOGUE.MAX_EVENT_AGE.default,
    ),
    MIN_FREE_DISK: size(0, 1024 * GB).prefault(CATALOGUE.MIN_FREE_DISK.default),
    HANDLERS_DIR: z.string().prefault(CATALOGUE.HANDLERS_DIR.default),
    STRICT_HANDLERS: word('on', 'off').optional(),
    HANDLER_CONCURRENCY: count(1, 1024).prefault(CATALOGUE.HANDLER_CONCURRENCY.default),
    HANDLER_TIMEOUT_SECONDS: seconds(1, DAY_SECONDS).prefault(CATALOGUE.HANDLER_TIMEOUT_SECONDS.default),
    HANDLER_MAX_ATTEMPTS: count(1, 1000).prefault(CATALOGUE.HANDLER_MAX_ATTEMPTS.default),
    HANDLER_BACKOFF_BASE_SECONDS: seconds(1, DAY_SECONDS).prefault(CATALOGUE.HANDLER_BACKOFF_BASE_SECONDS.default),
    HANDLER_BACKOFF_CAP_SECONDS: seconds(1, 30 * DAY_SECONDS).prefault(CATALOGUE.HANDLER_BACKOFF_CAP_SECONDS.default),
    ORDER_HOLD_SECONDS: seconds(0, DAY_SECONDS).prefault(CATALOGUE.ORDER_HOLD_SECONDS.default),
    BODY_LIMIT: size(1, MAX_BODY_BYTES).prefault(CATALOGUE.BODY_LIMIT.default),
    MAX_BUFFERED: size(1, 64 * GB).prefault(CATALOGUE.MAX_BUFFERED.default),
    MAX_CONNECTIONS: count(1, 1_000_000).prefault(CATALOGUE.MAX_CONNECTIONS.default),
    MAX_UNPROVEN_PER_ADDRESS: count(1, 1_000_000).prefault(CATALOGUE.MAX_UNPROVEN_PER_ADDRESS.default),
    HEADERS_TIMEOUT_SECONDS: seconds(1, 3600).prefault(CATALOGUE.HEADERS_TIMEOUT_SECONDS.default),
    REQUEST_TIMEOUT_SECONDS: seconds(1, 3600).prefault(CATALOGUE.REQUEST_TIMEOUT_SECONDS.default),
    TRUST_PROXY: count(0, 32).prefault(CATALOGUE.TRUST_PROXY.default),
    AUDIT_KEY: parsedBy(parseOneSecret).optional(),
    AUDIT_ANONYMOUS_PER_MINUTE: count(1, 1_000_000).prefault(CATALOGUE.AUDIT_ANONYMOUS_PER_MINUTE.default),
    AUDIT_RETENTION_DAYS: days(36_500).prefault(CATALOGUE.AUDIT_RETENTION_DAYS.default),
    AUDIT_ANONYMOUS_RETENTION_DAYS: days(36_500).prefault(CATALOGUE.AUDIT_ANONYMOUS_RETENTION_DAYS.default),
    METRICS_TOKEN: parsedBy(parseBearerToken).optional(),
    METRICS_ALLOW: parsedBy(parseNetworks).prefault(CATALOGUE.METRICS_ALLOW.default),
    ADMIN_TOKEN: parsedBy(parseBearerToken).optional(),
    LOG_LEVEL: word('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent').prefault(CATALOGUE.LOG_LEVEL.default),
    LOG_AUDIT: word('all', 'requests', 'off').prefault(CATALOGUE.LOG_AUDIT.default),
    OPERATOR: z.string().optional(),
    INSTANTLY_API_KEY: parsedBy(parseBearerToken).optional(),
    INSTANTLY_READ_KEY: parsedBy(parseBearerToken).optional(),
    INSTANTLY_WRITE_KEY: parsedBy(parseBearerToken).optional(),
    INSTANTLY_API_URL: parsedBy(parseHttpsUrl).prefault(CATALOGUE.INSTANTLY_API_URL.default),
    INSTANTLY_AS_WORKSPACE: parsedBy(parseWorkspaceId).optional(),
    HTTPS_PROXY: parsedBy((text) => ({ value: new Secret(text) })).optional(),
    NO_PROXY: z.string().optional(),
    INSTANTLY_AUTO_RESUME: word('on', 'off').optional(),
    INSTANTLY_SCOPES: word('warn', 'strict').prefault(CATALOGUE.INSTANTLY_SCOPES.default),
    INSTANTLY_WATCH_SECONDS: seconds(1, DAY_SECONDS).prefault(CATALOGUE.INSTANTLY_WATCH_SECONDS.default),
    SECRET_MAX_AGE_DAYS: days(3650).prefault(CATALOGUE.SECRET_MAX_AGE_DAYS.default),
    // A setting in the catalogue without its schema does not compile, nor the other way round.
  } satisfies Record<SettingName, z.ZodType>);
}

/** All settings, each checked by itself. */
export type ParsedSettings = z.output<ReturnType<typeof settingsSchema>>;
