import { isIPv6 } from 'node:net';
import { fault, type Parsed } from './parsed.ts';
import { findParameterFaults, saysTls, settleParameters } from './postgres-parameters.ts';
import { Secret } from './secret.ts';

const EXAMPLE = 'postgres://user:password@host:5432/database';
const DEFAULT_PORT = '5432';
/** Raw, a sign that a password went astray; encoded, what pg does not decode. */
const UNFIT_IN_NAME = /[/@]|%(23|24|26|2b|2c|2f|3a|3b|3d|3f|40)/i;

export interface PostgresPlace {
  readonly kind: 'postgres';
  /** With the password; every path in it is absolute. */
  readonly url: Secret;
  /** `postgres://host:port/database`, for people. */
  readonly location: string;
  /** Query parameters that did nothing and were left out. */
  readonly ignored: readonly string[];
  /** Whether TLS is chosen or declined, or needless because the server is on this machine. */
  readonly tlsSettled: boolean;
}

/**
 * The address of a PostgreSQL database, as libpq and the package pg write it.
 *
 * @param text begins with `postgres:` or `postgresql:`
 * @param cwd what the relative paths of certificates start from
 */
export function parsePostgresUrl(text: string, cwd: string): Parsed<PostgresPlace> {
  const slip = findSlip(text);
  if (slip !== undefined) return fault(slip);
  const url = URL.parse(text);
  if (url === null) {
    return fault(
      `must be a whole URL, such as ${EXAMPLE}, with every @ : / ? # and % of a user or password percent-encoded (@ is %40)`,
    );
  }
  const faults = [...findPlaceFaults(url), ...findParameterFaults(url.searchParams, cwd)];
  if (faults.length > 0) return { faults };

  const ignored = settleParameters(url.searchParams, cwd);
  // Otherwise pg would look for it in PGPORT, and the location shown could be another than the one used.
  if (url.hostname !== '' && url.port === '') url.port = DEFAULT_PORT;
  const host = url.searchParams.get('host') ?? url.hostname;
  const port = url.searchParams.get('port') ?? (url.port || DEFAULT_PORT);
  if (url.hostname === '') url.searchParams.set('port', port);
  return {
    value: {
      kind: 'postgres',
      url: new Secret(url.href),
      location: `postgres://${showHost(host)}:${port}${url.pathname}`,
      ignored,
      tlsSettled: saysTls(url.searchParams) || isThisMachine(host),
    },
  };
}

/** What the URL's parser would take in silence, otherwise than it was meant. */
function findSlip(text: string): string | undefined {
  if (/\s/.test(text)) return 'must not hold white space; a space is written %20';
  if (text.includes('#')) return 'must not hold a "#"; in a user or password it is written %23';
  try {
    return /\p{Cc}/u.test(decodeURIComponent(text)) ? 'must not hold control characters' : undefined;
  } catch {
    return 'must not hold a "%" that begins no percent-encoded UTF-8; a "%" of a user or password is written %25';
  }
}

function findPlaceFaults(url: URL): string[] {
  const faults: string[] = [];
  const given = url.searchParams.get('host');
  if ((given ?? url.hostname) === '') faults.push(`must name a host, as in ${EXAMPLE}`);
  // Beside a host in the query, pg takes a folder of sockets for a part of the database's name.
  if (url.hostname.includes(',') || (given !== null && /^%2f/i.test(url.hostname))) {
    faults.push(`must name one host, as in ${EXAMPLE}`);
  }
  if (url.port === '0') faults.push('must have as port a whole number from 1 to 65535');
  const name = url.pathname.slice(1);
  if (name === '') {
    faults.push(`must name a database after the host, as in ${EXAMPLE}`);
  } else if (UNFIT_IN_NAME.test(name)) {
    // A password with a bare slash in it looks so, and its rest must not pass for the name of a database.
    faults.push(
      'must have after the host one database, whose name holds no / or @; in a password they are written %2F and %40',
    );
  }
  return faults;
}

/** A folder of sockets, an IPv6 address or whatever else, as the host of a URL. */
function showHost(host: string): string {
  if (/^[\w.%-]+$/.test(host) || host.startsWith('[')) return host;
  return isIPv6(host) ? `[${host}]` : encodeURIComponent(host);
}

function isThisMachine(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?|%2f.*|\/.*)$/i.test(host);
}
