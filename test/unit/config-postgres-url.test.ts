import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { type Database, parseDatabaseUrl } from '../../src/config/parse-database-url.ts';
import type { PostgresPlace } from '../../src/config/parse-postgres-url.ts';
import { postgresUrl } from '../support/postgres-url.ts';
import { makeFolder, writeIn } from './config-support.ts';

const EXAMPLE = 'postgres://user:password@host:5432/database';
const NO_HOST = `must name a host, as in ${EXAMPLE}`;
const ONE_HOST = `must name one host, as in ${EXAMPLE}`;
const NO_DATABASE = `must name a database after the host, as in ${EXAMPLE}`;
const ONE_DATABASE =
  'must have after the host one database, whose name holds no / or @; in a password they are written %2F and %40';
const NOT_WHOLE = `must be a whole URL, such as ${EXAMPLE}, with every @ : / ? # and % of a user or password percent-encoded (@ is %40)`;
const PERCENT = 'must not hold a "%" that begins no percent-encoded UTF-8; a "%" of a user or password is written %25';
const PORT = 'must have as port a whole number from 1 to 65535';
const MODE = 'must have as sslmode one of disable, prefer, require, verify-ca, verify-full, no-verify';

function placeOf(text: string, cwd = '/srv'): PostgresPlace {
  const parsed = parseDatabaseUrl(text, cwd);
  const value: Database | undefined = 'value' in parsed ? parsed.value : undefined;
  if (value?.kind !== 'postgres') throw new Error(`refused: ${JSON.stringify(parsed)}`);
  return value;
}

function faultsIn(text: string, cwd = '/srv'): readonly string[] {
  const parsed = parseDatabaseUrl(text, cwd);
  return 'faults' in parsed ? parsed.faults : [];
}

/** What pg would connect to; it connects to nothing yet. */
function clientOf(place: PostgresPlace): pg.Client {
  return new pg.Client({ connectionString: place.url.reveal() });
}

describe('the location', () => {
  test.each([
    ['postgres://user:pw@db.example:6432/events', 'postgres://db.example:6432/events'],
    ['postgresql://db.example/events', 'postgres://db.example:5432/events'],
    ['POSTGRES://u:p@Db.Example/Events', 'postgres://Db.Example:5432/Events'],
    ['postgres://u@10.0.0.7/d', 'postgres://10.0.0.7:5432/d'],
    ['postgres://u:p@[::1]:5433/d', 'postgres://[::1]:5433/d'],
    ['postgres://u:p@h/my%20events', 'postgres://h:5432/my%20events'],
    ['postgres://u:p@h/ereignisse-ü', 'postgres://h:5432/ereignisse-%C3%BC'],
    ['postgres://u:p@%2Frun%2Fpostgresql/d', 'postgres://%2Frun%2Fpostgresql:5432/d'],
    ['postgres:///d?host=/run/postgresql&user=u&password=pw', 'postgres://%2Frun%2Fpostgresql:5432/d'],
    ['postgres://u:p@localhost/d?host=other&port=6000', 'postgres://other:6000/d'],
    ['postgres:///d?host=::1', 'postgres://[::1]:5432/d'],
    [postgresUrl('u:p%40ss@h/d?sslmode=disable&application_name=x'), 'postgres://h:5432/d'],
    ['postgres://u:p@ss@h/d', 'postgres://h:5432/d'],
  ])('of %s is %s', (url, location) => {
    expect(placeOf(url).location).toBe(location);
  });

  test('is where pg connects to, whatever the environment says', () => {
    process.env['PGPORT'] = '9';
    process.env['PGHOST'] = 'elsewhere';
    process.env['PGDATABASE'] = 'elsewhere';
    try {
      const cases = [
        ['postgres://u@h/d', 'h', 5432, 'd'],
        ['postgres://u@[::1]:5433/d', '::1', 5433, 'd'],
        ['postgres://u@%2Frun%2Fpostgresql/d', '/run/postgresql', 5432, 'd'],
        ['postgres:///d?host=/run/postgresql', '/run/postgresql', 5432, 'd'],
        ['postgres://u@h/d?host=other&port=6000', 'other', 6000, 'd'],
        ['postgres://u@h/my%20events', 'h', 5432, 'my events'],
      ] as const;
      for (const [url, host, port, database] of cases) {
        const client = clientOf(placeOf(url));
        expect([url, client.host, client.port, client.database]).toEqual([url, host, port, database]);
      }
    } finally {
      delete process.env['PGPORT'];
      delete process.env['PGHOST'];
      delete process.env['PGDATABASE'];
    }
  });

  test('holds neither user nor password, and pg gets both whole, whatever they are', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((value) => !/\p{Cc}/u.test(value));
    fc.assert(
      fc.property(text, text, (user, password) => {
        const secrets = [`user${user}`, `pass${password}`] as const;
        const place = placeOf(`postgres://${secrets.map(encodeURIComponent).join(':')}@h/d?options=-c%20a%3Db`);
        expect(place.location).toBe('postgres://h:5432/d');
        const client = clientOf(place);
        expect([client.user, client.password, client.host, client.database]).toEqual([...secrets, 'h', 'd']);
      }),
    );
  });
});

describe('a bad address is refused with its fix', () => {
  test.each<[string, ...string[]]>([
    ['postgres:///d', NO_HOST],
    ['postgres:d', NO_HOST, NO_DATABASE],
    ['postgres:/h/d', NO_HOST, ONE_DATABASE],
    ['postgres://h', NO_DATABASE],
    ['postgres://u:p@h:5432/', NO_DATABASE],
    ['postgres://u:p@h/..', NO_DATABASE],
    ['postgres://', NO_HOST, NO_DATABASE],
    ['postgres://u:p@h?sslmode=disable', NO_DATABASE],
    ['postgres://h/d/e', ONE_DATABASE],
    ['postgres://h/d/', ONE_DATABASE],
    ['postgres://u:12/ss@h/d', ONE_DATABASE],
    ['postgres://h/a%2Fb', ONE_DATABASE],
    ['postgres://h1,h2/d', ONE_HOST],
    ['postgres://%2Ftmp/d?host=h', ONE_HOST],
    ['postgres://h/d?host=h1,h2', 'must have as host one host, or be left out'],
    ['postgres://h:0/d', PORT],
    ['postgres://h/d?port=65536', PORT],
    ['postgres://h/d?port=x', PORT],
    ['postgres://h:65536/d', NOT_WHOLE],
    ['postgres://h1:1,h2:2/d', NOT_WHOLE],
    ['postgres://u:p/ss@h/d', NOT_WHOLE],
    ['postgres://u@/d', NOT_WHOLE],
    ['postgres://[::1/d', NOT_WHOLE],
    ['postgres://h/d#', 'must not hold a "#"; in a user or password it is written %23'],
    [postgresUrl('u:p#ss@h/d'), 'must not hold a "#"; in a user or password it is written %23'],
    ['postgres://u:50%@h/d', PERCENT],
    ['postgres://u:%ff@h/d', PERCENT],
    ['postgres://u:a b@h/d', 'must not hold white space; a space is written %20'],
    ['postgres://u:p@h/d\npostgres://u:p@h/e', 'must not hold white space; a space is written %20'],
    ['postgres://u:p@h/d%00', 'must not hold control characters'],
    [postgresUrl('u:p\u0007@h/d'), 'must not hold control characters'],
  ])('%j', (url, ...faults) => {
    expect(faultsIn(url)).toEqual(faults);
  });
});

describe('query parameters', () => {
  test.each([
    'application_name=x',
    'fallback_application_name=x',
    'options=-c%20search_path%3Da',
    'options=-c+search_path%3Da',
    'user=u&password=p',
    'ssl=true',
    'ssl=no-verify',
    'sslnegotiation=direct',
    'sslnegotiation=postgres',
    'sslmode=require&uselibpqcompat=true',
    'sslmode=require&channel_binding=require',
  ])('%s is taken', (query) => {
    expect(faultsIn(`postgres://h/d?${query}`)).toEqual([]);
  });

  test.each([
    ['sslmode=allow', MODE],
    ['sslmode=', MODE],
    ['sslmode=VERIFY-FULL', MODE],
    ['ssl=false', 'must have as ssl one of true, 1, 0, no-verify'],
    ['sslnegotiation=maybe', 'must have as sslnegotiation one of postgres, direct'],
    ['uselibpqcompat=1', 'must have as uselibpqcompat one of true, false'],
    ['application_name=', 'must have as application_name something, or be left out'],
    ['sslmode=disable&sslmode=verify-full', 'must not have the same query parameter twice'],
    [
      'sslmode=disable&sslnegotiation=direct',
      'must not have sslnegotiation=direct where TLS is off; take it out, or set sslmode=verify-full',
    ],
    [
      'ssl=0&sslnegotiation=direct',
      'must not have sslnegotiation=direct where TLS is off; take it out, or set sslmode=verify-full',
    ],
    [
      'sslmode=verify-ca&uselibpqcompat=true',
      'must have an sslrootcert with uselibpqcompat=true and sslmode=verify-ca; add it, or set sslmode=verify-full',
    ],
  ])('%s is refused', (query, fault) => {
    expect(faultsIn(`postgres://h/d?${query}`)).toEqual([fault]);
  });

  test.each(['sslmod=verify-full', 'Sslmode=disable', 'dbname=x', 'replication=database', '=', 'schema=public'])(
    '%s is refused: a mistyped one would go unnoticed',
    (query) => {
      expect(faultsIn(`postgres://h/d?${query}`)).toEqual([
        'must not have query parameters other than application_name, fallback_application_name, host, options, password, port, ssl, sslcert, sslkey, sslmode, sslnegotiation, sslrootcert, uselibpqcompat, user',
      ]);
    },
  );

  test('that do nothing, or would undo the time-outs of the store, are left out and named', () => {
    const place = placeOf('postgres://h/d?statement_timeout=0&application_name=x&connect_timeout=5&query_timeout=0');
    expect(place.ignored).toEqual(['statement_timeout', 'connect_timeout', 'query_timeout']);
    expect(place.url.reveal()).toBe('postgres://h:5432/d?application_name=x');
  });
});

describe('TLS', () => {
  test.each([
    ['', false],
    ['?sslmode=disable', false],
    ['?ssl=0', false],
    ['?ssl=1', true],
    ['?sslmode=no-verify', { rejectUnauthorized: false }],
    ['?sslmode=prefer', {}],
    ['?sslmode=require', {}],
    ['?sslmode=verify-ca', {}],
    ['?sslmode=verify-full', {}],
    ['?sslmode=require&uselibpqcompat=true', { rejectUnauthorized: false }],
  ])('%j gives pg %j', (query, ssl) => {
    expect(clientOf(placeOf(`postgres://h/d${query}`))).toMatchObject({ ssl });
  });

  test.each(['prefer', 'require', 'verify-ca'])(
    '%s is written as what pg takes it for today, so that no later pg takes it for less',
    (mode) => {
      const place = placeOf(`postgres://h/d?application_name=x&sslmode=${mode}`);
      expect(place.url.reveal()).toBe('postgres://h:5432/d?application_name=x&sslmode=verify-full');
    },
  );

  test('its files are read from where the settings were, not from where the process is', () => {
    const cwd = makeFolder();
    for (const name of ['ca.pem', 'client.pem', 'client.key']) writeIn(cwd, name, `${name}\n`);
    const place = placeOf('postgres://h/d?sslrootcert=ca.pem&sslcert=client.pem&sslkey=client.key', cwd);
    expect(clientOf(place)).toMatchObject({ ssl: { ca: 'ca.pem\n', cert: 'client.pem\n', key: 'client.key\n' } });
    expect(place.tlsSettled).toBe(true);
  });

  test.each(['sslrootcert', 'sslcert', 'sslkey'])('a %s that cannot be read is a fault without its path', (name) => {
    const cwd = makeFolder();
    writeIn(cwd, 'good', 'x');
    writeIn(cwd, 'binary', Uint8Array.of(0x30, 0x82, 0xff));
    mkdirSync(join(cwd, 'folder'));
    const other = name === 'sslcert' ? '&sslkey=good' : name === 'sslkey' ? '&sslcert=good' : '';
    const faults = (path: string) => faultsIn(`postgres://u:p@h/d?${name}=${path}${other}`, cwd);
    const fault = (why: string) => [
      `names as ${name} a file that cannot be read (${why}); correct the path or the file's rights`,
    ];
    expect(faults('good')).toEqual([]);
    expect(faults('absent')).toEqual(fault('ENOENT, no such file'));
    expect(faults('folder')).toEqual(fault('EISDIR, it is a folder'));
    expect(faults('binary')).toEqual(fault('not-text, it is not UTF-8 text'));
  });

  test.each(['sslcert', 'sslkey'])('%s alone is a fault', (name) => {
    const cwd = makeFolder();
    writeIn(cwd, 'good', 'x');
    expect(faultsIn(`postgres://h/d?${name}=good`, cwd)).toEqual(['must have sslcert and sslkey both, or neither']);
  });
});
