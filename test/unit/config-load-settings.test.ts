import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import type { Secret } from '../../src/config/secret.ts';
import type { Settings } from '../../src/config/settings.ts';
import { postgresUrl } from '../support/postgres-url.ts';
import { KEY, load, makeFolder, STANDARD_KEY, TOKEN, writeIn } from './config-support.ts';

const reveal = (secrets: readonly Secret[]) => secrets.map((secret) => secret.reveal());

test('an empty environment gives the documented defaults', () => {
  const cwd = makeFolder();
  const settings = load({}, cwd);
  expect(settings).toMatchObject({
    production: false,
    host: '0.0.0.0',
    port: 3000,
    webhookPath: '/webhooks/instantly',
    authentication: {
      signatureScheme: 'body',
      signatureHeader: 'x-instantly-signature',
      timestampHeader: 'x-instantly-timestamp',
      toleranceSeconds: 300,
      tokenHeader: 'x-webhook-secret',
      require: 'any',
    },
    store: { kind: 'sqlite', file: join(cwd, 'data/receiver.db') },
    dataDir: join(cwd, 'data'),
    role: 'all',
    handlers: {
      dir: join(cwd, 'handlers'),
      concurrency: 16,
      timeoutMs: 30_000,
      maxAttempts: 12,
      backoffBaseMs: 5000,
      backoffCapMs: 21_600_000,
      orderHoldMs: 60_000,
    },
    http: {
      bodyLimitBytes: 10 * 1024 * 1024,
      maxBufferedBytes: 64 * 1024 * 1024,
      maxConnections: 2000,
      maxUnprovenPerAddress: 200,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      failedAuthPerMinute: 100,
      trustProxy: 0,
    },
    audit: { anonymousPerMinute: 600, retentionMs: 400 * 86_400_000 },
    retentionMs: 30 * 86_400_000,
    minFreeDiskBytes: 200 * 1024 * 1024,
    metricsToken: undefined,
    adminToken: undefined,
    publicUrl: undefined,
    logLevel: 'info',
    warnings: [],
  });
});

test('every setting reaches its place', () => {
  const cwd = makeFolder();
  const settings = load(
    {
      NODE_ENV: 'production',
      HOST: '::1',
      PORT: '0',
      WEBHOOK_PATH: '/in',
      PUBLIC_URL: 'https://hooks.example.com/',
      INSTANTLY_WEBHOOK_TOKEN: ` ${TOKEN} , ${TOKEN}-old`,
      INSTANTLY_WEBHOOK_TOKEN_HEADER: 'Authorization',
      INSTANTLY_SECRET: STANDARD_KEY,
      INSTANTLY_SIGNATURE_SCHEME: 'Standard-Webhooks',
      INSTANTLY_SIGNATURE_HEADER: 'X-Sig',
      INSTANTLY_TIMESTAMP_HEADER: 'X-Time',
      INSTANTLY_SIGNATURE_TOLERANCE_SECONDS: '7',
      INSTANTLY_REQUIRE: 'both',
      FAILED_AUTH_PER_MINUTE: '8',
      DATABASE_URL: 'sqlite:store/x.db',
      SPILL_DATABASE_URL: 'sqlite:unused/x.db',
      SPILL_LIMIT: '1mb',
      ROLE: 'ALL',
      RETENTION_DAYS: '2',
      MIN_FREE_DISK: '0',
      HANDLERS_DIR: `${cwd}/.`,
      HANDLER_CONCURRENCY: '3',
      HANDLER_TIMEOUT_SECONDS: '4',
      HANDLER_MAX_ATTEMPTS: '5',
      HANDLER_BACKOFF_BASE_SECONDS: '6',
      HANDLER_BACKOFF_CAP_SECONDS: '9',
      ORDER_HOLD_SECONDS: '0',
      BODY_LIMIT: '1kb',
      MAX_BUFFERED: '2kb',
      MAX_CONNECTIONS: '10',
      MAX_UNPROVEN_PER_ADDRESS: '5',
      HEADERS_TIMEOUT_SECONDS: '11',
      REQUEST_TIMEOUT_SECONDS: '12',
      TRUST_PROXY: '1',
      AUDIT_KEY: `${KEY}, with a comma`,
      AUDIT_ANONYMOUS_PER_MINUTE: '13',
      AUDIT_RETENTION_DAYS: '3',
      METRICS_TOKEN: `${TOKEN}-m`,
      ADMIN_TOKEN: `${TOKEN}-a`,
      LOG_LEVEL: 'DEBUG',
      INSTANTLY_API_KEY: 'k',
      INSTANTLY_READ_KEY: 'r',
      INSTANTLY_WRITE_KEY: 'w',
      INSTANTLY_API_URL: 'http://localhost:9',
    },
    cwd,
  );
  expect(settings).toMatchObject({
    production: true,
    host: '::1',
    port: 0,
    webhookPath: '/in',
    publicUrl: 'https://hooks.example.com',
    authentication: {
      signatureScheme: 'standard-webhooks',
      signatureHeader: 'x-sig',
      timestampHeader: 'x-time',
      toleranceSeconds: 7,
      tokenHeader: 'authorization',
      require: 'both',
    },
    dataDir: join(cwd, 'store'),
    role: 'all',
    handlers: {
      dir: cwd,
      concurrency: 3,
      timeoutMs: 4000,
      maxAttempts: 5,
      backoffBaseMs: 6000,
      backoffCapMs: 9000,
      orderHoldMs: 0,
    },
    http: {
      bodyLimitBytes: 1024,
      maxBufferedBytes: 2048,
      maxConnections: 10,
      maxUnprovenPerAddress: 5,
      headersTimeoutMs: 11_000,
      requestTimeoutMs: 12_000,
      failedAuthPerMinute: 8,
      trustProxy: 1,
    },
    audit: { anonymousPerMinute: 13, retentionMs: 3 * 86_400_000 },
    retentionMs: 2 * 86_400_000,
    minFreeDiskBytes: 0,
    logLevel: 'debug',
    generatedSecrets: [],
    warnings: [],
  });
  expect(settings.store).toEqual({ kind: 'sqlite', file: join(cwd, 'store/x.db') });
  expect(existsSync(join(cwd, 'unused'))).toBe(false);
  expect(reveal(settings.authentication.tokens)).toEqual([TOKEN, `${TOKEN}-old`]);
  expect(reveal(settings.authentication.signatureKeys)).toEqual([STANDARD_KEY]);
  expect(settings.audit.key.reveal()).toBe(`${KEY}, with a comma`);
  expect(settings.metricsToken?.reveal()).toBe(`${TOKEN}-m`);
  expect(settings.adminToken?.reveal()).toBe(`${TOKEN}-a`);
});

describe('with PostgreSQL', () => {
  const URL = postgresUrl('user:hidden-password@db.example:6432/events?sslmode=verify-full');

  test('the spill gets its defaults, and the data folder is its folder', () => {
    const cwd = makeFolder();
    const { store, dataDir, role } = load({ DATABASE_URL: URL }, cwd);
    expect(store).toEqual({
      kind: 'postgres',
      url: expect.anything(),
      location: 'postgres://db.example:6432/events',
      spill: { file: join(cwd, 'data/spill.db'), maxBytes: 1024 ** 3 },
    });
    expect([dataDir, role]).toEqual([join(cwd, 'data'), 'all']);
    expect(store.kind === 'postgres' && store.url.reveal()).toBe(URL);
  });

  test.each(['receiver', 'worker', 'Worker'])('every setting of it reaches its place, as %s', (role) => {
    const cwd = makeFolder();
    writeIn(cwd, 'secrets/url', `${URL}\n`);
    const spill = { SPILL_DATABASE_URL: 'sqlite:/dev/shm/receiver-config-spill/s.db', SPILL_LIMIT: '1mb' };
    const settings = load({ DATABASE_URL_FILE: 'secrets/url', ROLE: role, ...spill, AUDIT_KEY: KEY }, cwd, false);
    expect(settings).toMatchObject({
      store: { spill: { file: '/dev/shm/receiver-config-spill/s.db', maxBytes: 1024 ** 2 } },
      dataDir: '/dev/shm/receiver-config-spill',
      role: role.toLowerCase(),
      secretOrigins: { DATABASE_URL: 'file', AUDIT_KEY: 'environment' },
    });
  });

  test('the settings are frozen to the last level and print no password', () => {
    const settings = load({ DATABASE_URL: URL });
    expect(findUnfrozen(settings)).toEqual([]);
    const printed = `${inspect(settings, { depth: 9, showHidden: true })}${JSON.stringify(settings)}`;
    expect(printed).toContain('postgres://db.example:6432/events');
    expect(printed).not.toContain('hidden-password');
    expect(printed).not.toContain('user:');
  });

  test.each<[string, NodeJS.ProcessEnv, string[]]>([
    [
      'postgres://u:p@h/d?sslmode=verify-full&connect_timeout=5&channel_binding=require',
      {},
      ['DATABASE_URL has query parameters that do nothing here: connect_timeout, channel_binding'],
    ],
    [
      'postgres://u:p@h/d',
      { NODE_ENV: 'production', INSTANTLY_SECRET: KEY },
      [
        'DATABASE_URL does not say whether the connection is encrypted; add sslmode=verify-full, or sslmode=disable where nobody can listen',
      ],
    ],
    ['postgres://u:p@h/d', {}, []],
    ['postgres://u:p@h/d?sslmode=disable', { NODE_ENV: 'production', INSTANTLY_SECRET: KEY }, []],
    ['postgres://u:p@h/d?sslnegotiation=direct', { NODE_ENV: 'production', INSTANTLY_SECRET: KEY }, []],
    ['postgres://u:p@localhost/d', { NODE_ENV: 'production', INSTANTLY_SECRET: KEY }, []],
    ['postgres://u:p@[::1]/d', { NODE_ENV: 'production', INSTANTLY_SECRET: KEY }, []],
    ['postgres://u:p@%2Frun%2Fpostgresql/d', { NODE_ENV: 'production', INSTANTLY_SECRET: KEY }, []],
  ])('%s in %j is warned of with %j', (url, env, warnings) => {
    expect(load({ DATABASE_URL: url, AUDIT_KEY: `${KEY}-audit`, ...env }).warnings).toEqual(warnings);
  });
});

describe('.env', () => {
  test('is read, and the environment wins over it', () => {
    const cwd = makeFolder();
    writeIn(cwd, '.env', '\uFEFFPORT=4000\nHOST="127.0.0.1"\nLOG_LEVEL=warn # quiet\n');
    expect(load({ LOG_LEVEL: 'error' }, cwd)).toMatchObject({ port: 4000, host: '127.0.0.1', logLevel: 'error' });
  });

  test('an empty value is an unset one, in either', () => {
    const cwd = makeFolder();
    writeIn(cwd, '.env', `PORT=4000\nHOST=\nINSTANTLY_SECRET=${KEY}\nMAX_BUFFERED=" "\n`);
    const settings = load({ PORT: '', INSTANTLY_SECRET: '  ', LOG_LEVEL: '', AUDIT_KEY_FILE: '' }, cwd);
    expect(settings).toMatchObject({ port: 4000, host: '0.0.0.0', logLevel: 'info' });
    expect(settings.http.maxBufferedBytes).toBe(64 * 1024 * 1024);
    expect(reveal(settings.authentication.signatureKeys)).toEqual([KEY]);
  });

  test('may turn production on', () => {
    const cwd = makeFolder();
    writeIn(cwd, '.env', `NODE_ENV=production\nINSTANTLY_WEBHOOK_TOKEN=${TOKEN}\n`);
    expect(load({}, cwd).production).toBe(true);
    expect(load({ NODE_ENV: 'test' }, cwd).production).toBe(false);
  });
});

describe('NAME_FILE', () => {
  test.each([
    ['\n', 'unix'],
    ['\r\n', 'windows'],
    ['', 'none'],
  ])('drops one newline at the end (%j)', (ending) => {
    const cwd = makeFolder();
    writeIn(cwd, 'sub/secret', `${KEY}${ending}`);
    const settings = load({ INSTANTLY_SECRET_FILE: 'sub/secret', AUDIT_KEY_FILE: join(cwd, 'sub/secret') }, cwd);
    expect(reveal(settings.authentication.signatureKeys)).toEqual([KEY]);
    expect(settings.audit.key.reveal()).toBe(KEY);
  });

  test('serves every secret, from .env too', () => {
    const cwd = makeFolder();
    const file = (name: string, content: string) => writeIn(cwd, `secrets/${name}`, `${content}\n`);
    file('database', 'sqlite:elsewhere/x.db');
    file('metrics', `${TOKEN}-m`);
    file('tokens', `${TOKEN},${TOKEN}-2`);
    file('api', 'k');
    writeIn(cwd, '.env', 'METRICS_TOKEN_FILE=secrets/metrics\nINSTANTLY_API_KEY_FILE=secrets/api\n');
    const settings = load(
      { DATABASE_URL_FILE: 'secrets/database', INSTANTLY_WEBHOOK_TOKEN_FILE: 'secrets/tokens' },
      cwd,
    );
    expect(settings.dataDir).toBe(join(cwd, 'elsewhere'));
    expect(settings.metricsToken?.reveal()).toBe(`${TOKEN}-m`);
    expect(reveal(settings.authentication.tokens)).toEqual([TOKEN, `${TOKEN}-2`]);
    expect(settings.secretOrigins).toEqual({
      INSTANTLY_WEBHOOK_TOKEN: 'file',
      DATABASE_URL: 'file',
      AUDIT_KEY: 'generated',
      METRICS_TOKEN: 'file',
      INSTANTLY_API_KEY: 'file',
    });
  });

  test('is no way in for what is not a secret', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'port', '4000');
    expect(load({ PORT_FILE: 'port' }, cwd).port).toBe(3000);
  });
});

test('a default gives way to the limit above it, with a word', () => {
  const settings = load({ MAX_BUFFERED: '1mb', REQUEST_TIMEOUT_SECONDS: '3' });
  expect(settings.http).toMatchObject({ bodyLimitBytes: 1024 * 1024, headersTimeoutMs: 3000, requestTimeoutMs: 3000 });
  expect(settings.warnings).toEqual([
    'BODY_LIMIT is lowered from its default to MAX_BUFFERED, which is less',
    'HEADERS_TIMEOUT_SECONDS is lowered from its default to REQUEST_TIMEOUT_SECONDS, which is less',
  ]);
});

describe('warnings', () => {
  test.each<[NodeJS.ProcessEnv, string]>([
    [
      { AUDIT_KEY: 'short' },
      'AUDIT_KEY is shorter than 16 characters and can be guessed; make one with the command "secrets new"',
    ],
    [
      { METRICS_TOKEN: 'short' },
      'METRICS_TOKEN is shorter than 16 characters and can be guessed; make one with the command "secrets new"',
    ],
    [
      { ADMIN_TOKEN: 'short' },
      'ADMIN_TOKEN is shorter than 16 characters and can be guessed; make one with the command "secrets new"',
    ],
    [{ NODE_ENV: 'prod' }, 'NODE_ENV begins like production and is not; set NODE_ENV=production to have its checks'],
    [
      { INSTANTLY_SECRET: KEY, INSTANTLY_WEBHOOK_TOKEN: `${TOKEN},${KEY}` },
      'INSTANTLY_SECRET and INSTANTLY_WEBHOOK_TOKEN hold the same value; give each its own',
    ],
    [
      { ADMIN_TOKEN: TOKEN, METRICS_TOKEN: TOKEN },
      'METRICS_TOKEN and ADMIN_TOKEN hold the same value; give each its own',
    ],
    [
      { HANDLER_CONCURENCY: '5' },
      'HANDLER_CONCURENCY is not a setting of this receiver and is ignored; did you mean HANDLER_CONCURRENCY?',
    ],
  ])('%j', (env, warning) => {
    expect(load(env).warnings).toEqual([warning]);
  });

  test('a mistyped name in .env is noticed as well', () => {
    const cwd = makeFolder();
    writeIn(cwd, '.env', 'INSTANTLY_SECRTE=x\n');
    expect(load({}, cwd).warnings).toEqual([
      'INSTANTLY_SECRTE is not a setting of this receiver and is ignored; did you mean INSTANTLY_SECRET?',
    ]);
  });
});

test('the settings are frozen to the last level and print no secret', () => {
  const settings = load({ INSTANTLY_SECRET: KEY, METRICS_TOKEN: TOKEN, AUDIT_KEY: `${KEY}-audit` });
  const open = findUnfrozen(settings);
  expect(open).toEqual([]);
  const printed = `${inspect(settings, { depth: 9, showHidden: true })}${JSON.stringify(settings)}${settings.audit.key}`;
  expect(printed).not.toContain(KEY);
  expect(printed).not.toContain(TOKEN);
});

/** Paths of the objects within that could be written to; secrets hold their value in a private field. */
function findUnfrozen(value: unknown, path = 'settings'): string[] {
  if (typeof value !== 'object' || value === null || 'reveal' in value) return [];
  const inner = Object.entries(value).flatMap(([key, child]) => findUnfrozen(child, `${path}.${key}`));
  return Object.isFrozen(value) ? inner : [path, ...inner];
}

describe('with create: false', () => {
  const read = (env: NodeJS.ProcessEnv, cwd: string): Settings => load(env, cwd, false);

  test('nothing is made, and what is missing is left out', () => {
    const cwd = makeFolder();
    const settings = read({}, cwd);
    expect(settings.authentication).toMatchObject({ signatureKeys: [], tokens: [] });
    expect(settings.generatedSecrets).toEqual([]);
    expect(existsSync(join(cwd, 'data'))).toBe(false);
  });

  test('a missing audit key is a fault only where it is needed', () => {
    const cwd = makeFolder();
    const { audit } = read({}, cwd);
    expect(audit.retentionMs).toBe(400 * 86_400_000);
    expect(() => audit.key).toThrow(
      `AUDIT_KEY is not set and ${JSON.stringify(join(cwd, 'data/audit-key'))} does not exist; set AUDIT_KEY, or start the receiver once from this folder`,
    );
    expect(() => inspect(audit)).not.toThrow();
  });

  test('what an earlier start made is read', () => {
    const cwd = makeFolder();
    const first = load({}, cwd);
    const second = read({}, cwd);
    expect(reveal(second.authentication.tokens)).toEqual(reveal(first.authentication.tokens));
    expect(second.audit.key.reveal()).toBe(first.audit.key.reveal());
    expect(second.generatedSecrets.map(({ created }) => created)).toEqual([false, false, false]);
  });

  test('production needs no secret for receiving', () => {
    expect(read({ NODE_ENV: 'production' }, makeFolder()).production).toBe(true);
  });
});

test('an event that is forgotten before it is too old is warned of', () => {
  expect(load({ MAX_EVENT_AGE: '30d' }).warnings).toEqual([]);
  const { warnings, maxEventAgeMs } = load({ MAX_EVENT_AGE: '31d' });
  expect(maxEventAgeMs).toBe(31 * 86_400_000);
  expect(warnings).toEqual([expect.stringMatching(/^MAX_EVENT_AGE is longer than RETENTION_DAYS, .*; lower it/)]);
});
