import { resolve } from 'node:path';
import { explainUnreadable, readTextFile, UnreadableFile } from './read-text-file.ts';

interface Form {
  readonly holds: (value: string) => boolean;
  readonly words: string;
}

const PORT: Form = {
  holds: (value) => /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535,
  words: 'a whole number from 1 to 65535',
};
const TEXT: Form = { holds: (value) => value !== '', words: 'something, or be left out' };

function oneOf(...words: readonly string[]): Form {
  return { holds: (value) => words.includes(value), words: `one of ${words.join(', ')}` };
}

/** What the package pg takes from a URL. */
const TAKEN: ReadonlyMap<string, Form> = new Map([
  ['application_name', TEXT],
  ['fallback_application_name', TEXT],
  ['host', { holds: (value) => /^[^,]+$/.test(value), words: 'one host, or be left out' }],
  ['options', TEXT],
  ['password', TEXT],
  ['port', PORT],
  // Not false: pg takes the word for a yes.
  ['ssl', oneOf('true', '1', '0', 'no-verify')],
  ['sslcert', TEXT],
  ['sslkey', TEXT],
  ['sslmode', oneOf('disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify')],
  ['sslnegotiation', oneOf('postgres', 'direct')],
  ['sslrootcert', TEXT],
  ['uselibpqcompat', oneOf('true', 'false')],
  ['user', TEXT],
]);

/** What the addresses that hosts of PostgreSQL hand out may hold: what libpq takes and pg does not, harmless when it does
 * nothing, and time-outs, which the store sets itself. */
const IGNORED: readonly string[] = [
  'channel_binding',
  'client_encoding',
  'connect_timeout',
  'gssencmode',
  'idle_in_transaction_session_timeout',
  'keepalives',
  'keepalives_count',
  'keepalives_idle',
  'keepalives_interval',
  'lock_timeout',
  'query_timeout',
  'statement_timeout',
  'target_session_attrs',
];

const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const;
/** The certificates of every authority a system trusts are a quarter of it. */
const FILE_LIMIT = 1024 * 1024;

/** Faults of the query, each naming only words of ours: a slip in a password can end up here. */
export function findParameterFaults(parameters: URLSearchParams, cwd: string): string[] {
  const names = [...parameters.keys()];
  const faults: string[] = [];
  // A mistyped sslmode would leave the connection readable to others.
  if (names.some((name) => !TAKEN.has(name) && !IGNORED.includes(name))) {
    faults.push(`must not have query parameters other than ${[...TAKEN.keys()].join(', ')}`);
  }
  if (new Set(names).size < names.length) faults.push('must not have the same query parameter twice');
  for (const [name, { holds, words }] of TAKEN) {
    const value = parameters.get(name);
    if (value !== null && !holds(value)) faults.push(`must have as ${name} ${words}`);
  }
  return faults.length > 0 ? faults : [...findTlsFaults(parameters), ...findFileFaults(parameters, cwd)];
}

/** What pg throws at, once connections are made. */
function findTlsFaults(parameters: URLSearchParams): string[] {
  const mode = parameters.get('sslmode');
  const off = mode === 'disable' || (mode === null && parameters.get('ssl') === '0');
  const faults: string[] = [];
  if (off && parameters.get('sslnegotiation') === 'direct') {
    faults.push('must not have sslnegotiation=direct where TLS is off; take it out, or set sslmode=verify-full');
  }
  if (parameters.get('uselibpqcompat') === 'true' && mode === 'verify-ca' && !parameters.has('sslrootcert')) {
    faults.push(
      'must have an sslrootcert with uselibpqcompat=true and sslmode=verify-ca; add it, or set sslmode=verify-full',
    );
  }
  if (parameters.has('sslcert') !== parameters.has('sslkey')) {
    faults.push('must have sslcert and sslkey both, or neither');
  }
  return faults;
}

function findFileFaults(parameters: URLSearchParams, cwd: string): string[] {
  return FILES.flatMap((name) => {
    const path = parameters.get(name);
    if (path === null) return [];
    try {
      readTextFile(resolve(cwd, path), FILE_LIMIT);
      return [];
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      return [
        `names as ${name} a file that cannot be read ${explainUnreadable(error)}; correct the path or the file's rights`,
      ];
    }
  });
}

/** Whether the connection is encrypted by them, or expressly is not. */
export function saysTls(parameters: URLSearchParams): boolean {
  const names = ['sslmode', 'ssl', 'sslrootcert', 'sslcert'];
  return names.some((name) => parameters.has(name)) || parameters.get('sslnegotiation') === 'direct';
}

/**
 * Leaves nothing for pg to take otherwise than it was meant.
 *
 * @returns the names of those taken out, because they do nothing here
 */
export function settleParameters(parameters: URLSearchParams, cwd: string): string[] {
  const ignored = [...parameters.keys()].filter((name) => IGNORED.includes(name));
  for (const name of ignored) parameters.delete(name);
  for (const name of FILES) {
    const path = parameters.get(name);
    if (path !== null) parameters.set(name, resolve(cwd, path));
  }
  // All of these mean verify-full to pg 8, which says so on stderr at each start, and something weaker to pg 9.
  const weaker = ['prefer', 'require', 'verify-ca'].includes(parameters.get('sslmode') ?? '');
  if (weaker && parameters.get('uselibpqcompat') !== 'true') parameters.set('sslmode', 'verify-full');
  return ignored;
}
