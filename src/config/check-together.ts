import { findDoubts, findSecretSlip } from './find-slip.ts';
import { findUnfitKeys, isShortSecret } from './parse-keys.ts';
import { parseProxyUrl } from './parse-url.ts';
import type { Environment } from './read-environment.ts';
import type { Secret } from './secret.ts';
import type { ParsedSettings } from './settings-schema.ts';
import { schemeFacts } from './signature-schemes.ts';

type Parsed = Partial<ParsedSettings>;

/** The first must not exceed the second. */
const ORDERED = [
  ['BODY_LIMIT', 'MAX_BUFFERED'],
  ['HANDLER_BACKOFF_BASE_SECONDS', 'HANDLER_BACKOFF_CAP_SECONDS'],
  ['HEADERS_TIMEOUT_SECONDS', 'REQUEST_TIMEOUT_SECONDS'],
] as const;

export const MISSING_AUDIT_KEY =
  'AUDIT_KEY must be set with PostgreSQL and NODE_ENV=production: all replicas and commands share one audit log and need the same key; the command "secrets new --kind audit" makes one';

/** Faults that only two settings seen together show. What could not be parsed by itself is absent and faults nothing here. */
export function findContradictions(parsed: Parsed, environment: Environment): string[] {
  return [
    ...checkOrder(parsed),
    ...checkHeaders(parsed),
    ...checkRequire(parsed, environment),
    ...findUnfitKeys(parsed.INSTANTLY_SECRET ?? [], parsed.INSTANTLY_SIGNATURE_SCHEME ?? 'body').map(
      (message) => `INSTANTLY_SECRET ${message}`,
    ),
    ...checkStore(parsed, environment),
    ...checkProxy(parsed),
  ];
}

/** One of another kind may be set for other programs, and does no harm where nothing goes through it. */
function checkProxy({ HTTPS_PROXY: proxy, ...parsed }: Parsed): string[] {
  const keys = [parsed.INSTANTLY_API_KEY, parsed.INSTANTLY_READ_KEY, parsed.INSTANTLY_WRITE_KEY];
  if (proxy === undefined || keys.every((key) => key === undefined)) return [];
  const read = parseProxyUrl(proxy.reveal());
  return 'faults' in read ? read.faults.map((message) => `HTTPS_PROXY ${message}`) : [];
}

/** Secrets without which a process that serves must not start. */
export function findMissingSecrets(parsed: Parsed, environment: Environment, mistyped: readonly string[]): string[] {
  return [findMissingCredential(parsed, environment, mistyped), findMissingAuditKey(parsed, environment)].filter(
    (fault) => fault !== undefined,
  );
}

/** Production never runs on a secret nobody chose. One line, because it is the first thing a new deployment meets. */
function findMissingCredential(
  parsed: Parsed,
  environment: Environment,
  mistyped: readonly string[],
): string | undefined {
  if (parsed.NODE_ENV !== 'production' || parsed.ROLE === 'worker') return undefined;
  if (environment.isGiven('INSTANTLY_SECRET') || environment.isGiven('INSTANTLY_WEBHOOK_TOKEN')) return undefined;
  const names =
    parsed.INSTANTLY_REQUIRE === 'both'
      ? 'INSTANTLY_WEBHOOK_TOKEN and INSTANTLY_SECRET both'
      : 'INSTANTLY_WEBHOOK_TOKEN (the value Instantly repeats in a header) or INSTANTLY_SECRET (the key of a signing relay)';
  const near = mistyped.filter((warning) => /INSTANTLY_(SECRET|WEBHOOK)/.test(warning));
  const hint = near.length === 0 ? '' : ` (${near.join('; ')})`;
  return `NODE_ENV=production needs ${names} to be set; the command "secrets new" makes one${hint}`;
}

/** A key that lies on one machine would part the chains of the others from it, so that none of them could be checked. */
function findMissingAuditKey(parsed: Parsed, environment: Environment): string | undefined {
  if (parsed.NODE_ENV !== 'production' || parsed.DATABASE_URL?.kind !== 'postgres') return undefined;
  return environment.isGiven('AUDIT_KEY') ? undefined : MISSING_AUDIT_KEY;
}

/** What is allowed and yet unwise. */
export function findWeaknesses(parsed: Parsed): string[] {
  const warnings: string[] = [];
  for (const name of ['AUDIT_KEY', 'METRICS_TOKEN', 'ADMIN_TOKEN'] as const) {
    const secret = parsed[name];
    if (secret !== undefined && isShortSecret(secret)) {
      warnings.push(
        `${name} is shorter than 16 characters and can be guessed; make one with the command "secrets new"`,
      );
    }
  }
  if (parsed.NODE_ENV !== undefined && parsed.NODE_ENV !== 'production' && /^prod/i.test(parsed.NODE_ENV)) {
    warnings.push('NODE_ENV begins like production and is not; set NODE_ENV=production to have its checks');
  }
  return [...warnings, ...findCarriedAlong(parsed), ...findStoreWeaknesses(parsed), ...findSharedSecrets(parsed)];
}

/**
 * A default gives way to the setting it must not exceed: who lowers MAX_BUFFERED alone has not asked for a
 * contradiction with a BODY_LIMIT they never wrote.
 */
export function lowerDefaults(parsed: Parsed, environment: Environment) {
  const lowered: Partial<Record<(typeof ORDERED)[number][number], number>> = {};
  const warnings: string[] = [];
  for (const [low, high] of ORDERED) {
    const [less, more] = [parsed[low], parsed[high]];
    if (less !== undefined && more !== undefined && less > more && !environment.isGiven(low)) {
      lowered[low] = more;
      warnings.push(`${low} is lowered from its default to ${high}, which is less`);
    }
  }
  return { lowered, warnings };
}

/** The address of the webhook in the place of the receiver's: its path, which is put behind it, would come twice. */
export function shortenPublicUrl({ PUBLIC_URL: url, WEBHOOK_PATH: path }: Parsed) {
  if (url === undefined || path === undefined) return { changed: {}, warnings: [] };
  const { origin, pathname } = new URL(url);
  const parts = pathname.split('/').filter((part) => part !== '');
  const own = path.split('/').filter((part) => part !== '');
  for (let length = Math.min(parts.length, own.length); length > 0; length -= 1) {
    const isEnd = parts.slice(-length).every((part, at) => part.toLowerCase() === own[at]?.toLowerCase());
    if (!isEnd) continue;
    const base = [origin, ...parts.slice(0, -length)].join('/');
    if (length === own.length) {
      const found = 'PUBLIC_URL ends with WEBHOOK_PATH, which is put behind it by itself';
      return { changed: { PUBLIC_URL: base }, warnings: [`${found}, so it is taken as ${base}; write it so`] };
    }
    return {
      changed: {},
      warnings: [`PUBLIC_URL ends as WEBHOOK_PATH begins, so Instantly is given ${url}${path}; did you mean ${base}?`],
    };
  }
  return { changed: {}, warnings: [] };
}

function checkOrder(parsed: Parsed): string[] {
  const faults: string[] = [];
  for (const [low, high] of ORDERED) {
    const [less, more] = [parsed[low], parsed[high]];
    if (less !== undefined && more !== undefined && less > more) {
      faults.push(`${low} must not be more than ${high}; lower it or raise ${high}`);
    }
  }
  return faults;
}

function checkHeaders(parsed: Parsed): string[] {
  const token = parsed.INSTANTLY_WEBHOOK_TOKEN_HEADER;
  const signature = parsed.INSTANTLY_SIGNATURE_HEADER;
  const timestamp = parsed.INSTANTLY_TIMESTAMP_HEADER;
  const faults: string[] = [];
  if (signature !== undefined && signature === token) {
    faults.push('INSTANTLY_SIGNATURE_HEADER and INSTANTLY_WEBHOOK_TOKEN_HEADER must name two different headers');
  }
  if (timestamp !== undefined && (timestamp === token || timestamp === signature)) {
    const other = timestamp === token ? 'INSTANTLY_WEBHOOK_TOKEN_HEADER' : 'INSTANTLY_SIGNATURE_HEADER';
    faults.push(`INSTANTLY_TIMESTAMP_HEADER and ${other} must name two different headers`);
  }
  if (
    token !== undefined &&
    parsed.INSTANTLY_WEBHOOK_TOKEN?.some((one) => one.reveal().toLowerCase().startsWith(`${token}:`))
  ) {
    faults.push('INSTANTLY_WEBHOOK_TOKEN holds the name of its header before the value; keep the value alone');
  }
  const scheme = parsed.INSTANTLY_SIGNATURE_SCHEME ?? 'body';
  const { headers } = schemeFacts(scheme);
  if (token !== undefined && headers.includes(token)) {
    faults.push(`INSTANTLY_WEBHOOK_TOKEN_HEADER must not be ${headers.join(', ')}, which the ${scheme} scheme uses`);
  }
  return faults;
}

function checkStore({ DATABASE_URL: database, ...parsed }: Parsed, environment: Environment): string[] {
  if (database?.kind !== 'sqlite') return [];
  const faults: string[] = [];
  if (environment.isGiven('SPILL_DATABASE_URL') && database.file === parsed.SPILL_DATABASE_URL) {
    faults.push('SPILL_DATABASE_URL must name another file than DATABASE_URL');
  }
  if (parsed.ROLE === 'receiver' || parsed.ROLE === 'worker') {
    faults.push(
      `ROLE=${parsed.ROLE} needs PostgreSQL, because one process alone serves a SQLite file; set DATABASE_URL to a postgres:// URL, or set ROLE=all`,
    );
  }
  return faults;
}

function findStoreWeaknesses({ DATABASE_URL: database, NODE_ENV }: Parsed): string[] {
  if (database?.kind !== 'postgres') return [];
  const warnings: string[] = [];
  if (database.ignored.length > 0) {
    warnings.push(`DATABASE_URL has query parameters that do nothing here: ${database.ignored.join(', ')}`);
  }
  if (NODE_ENV === 'production' && !database.tlsSettled) {
    warnings.push(
      'DATABASE_URL does not say whether the connection is encrypted; add sslmode=verify-full, or sslmode=disable where nobody can listen',
    );
  }
  return warnings;
}

function checkRequire(parsed: Parsed, environment: Environment): string[] {
  if (parsed.ROLE === 'worker') return [];
  const names = ['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN'] as const;
  const missing = names.filter((name) => !environment.isGiven(name));
  if (parsed.INSTANTLY_REQUIRE !== 'both' || missing.length !== 1) return [];
  return [`INSTANTLY_REQUIRE=both needs ${missing.join()} as well; set it, or set INSTANTLY_REQUIRE=any`];
}

/** What may be meant, and mostly is not. */
function findCarriedAlong(parsed: Parsed): string[] {
  const warnings = listSecrets(parsed).flatMap(([name, keys]) => keys.flatMap((key) => findDoubts(name, key.reveal())));
  const slip = parsed.AUDIT_KEY && findSecretSlip(parsed.AUDIT_KEY.reveal());
  if (slip !== undefined) warnings.push(`AUDIT_KEY ${slip}, unless entries are sealed with it already`);
  const header = parsed.INSTANTLY_WEBHOOK_TOKEN_HEADER;
  for (const token of parsed.INSTANTLY_WEBHOOK_TOKEN ?? []) {
    const text = token.reveal();
    const scheme = /^(bearer|basic)\s/i.exec(text)?.[1];
    if (scheme !== undefined && header !== 'authorization') {
      warnings.push(
        `INSTANTLY_WEBHOOK_TOKEN begins with ${scheme}, and lets in only what has that in ${header} too; keep what follows, unless Instantly sends it so`,
      );
    }
    if (/[^\x20-\x7e]/.test(text)) {
      warnings.push(
        'INSTANTLY_WEBHOOK_TOKEN holds characters beyond ASCII, which not every sender puts into a header the same way; make one with the command "secrets new"',
      );
    }
  }
  return warnings;
}

/** A token travels in every request: whoever sees it must not hold the key of something else with it. */
function findSharedSecrets(parsed: Parsed): string[] {
  const owners = new Map<string, string>();
  const warnings: string[] = [];
  for (const [name, secrets] of listSecrets(parsed)) {
    for (const secret of secrets) {
      const owner = owners.get(secret.reveal());
      if (owner !== undefined) warnings.push(`${owner} and ${name} hold the same value; give each its own`);
      owners.set(secret.reveal(), name);
    }
  }
  return warnings;
}

function listSecrets(parsed: Parsed): [string, readonly Secret[]][] {
  const single = ['AUDIT_KEY', 'METRICS_TOKEN', 'ADMIN_TOKEN'] as const;
  return [
    ['INSTANTLY_SECRET', parsed.INSTANTLY_SECRET ?? []],
    ['INSTANTLY_WEBHOOK_TOKEN', parsed.INSTANTLY_WEBHOOK_TOKEN ?? []],
    ...single.map((name): [string, readonly Secret[]] => {
      const secret = parsed[name];
      return [name, secret === undefined ? [] : [secret]];
    }),
  ];
}
