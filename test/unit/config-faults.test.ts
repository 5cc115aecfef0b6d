import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SETTING_NAMES } from '../../src/config/catalogue.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { SettingsError } from '../../src/errors/problem.ts';
import { faultsOf, KEY, load, makeFolder, STANDARD_KEY, TOKEN, writeIn } from './config-support.ts';

const LISTS = ['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN'] as const;
const TOKENS = [
  'METRICS_TOKEN',
  'ADMIN_TOKEN',
  'INSTANTLY_API_KEY',
  'INSTANTLY_READ_KEY',
  'INSTANTLY_WRITE_KEY',
] as const;
const SECRETS = [...LISTS, ...TOKENS, 'AUDIT_KEY', 'DATABASE_URL'] as const;
const SCHEMES = 'body, timestamped, standard-webhooks, hookdeck, svix, convoy';
const LEVELS = 'fatal, error, warn, info, debug, trace, silent';
const SIZE = 'must be a size such as 512kb, 10mb or 1048576 (bytes), from';
const HEADER = 'must be the name of an HTTP header alone: letters, digits and hyphens, such as x-webhook-secret';
const UNFIT =
  'that does not fit INSTANTLY_SIGNATURE_SCHEME=standard-webhooks: it must be whsec_ followed by the base64 of at least 16 bytes; make one with "secrets new --kind signature --scheme standard-webhooks"';

describe('a bad value is named with its fix', () => {
  test.each<[NodeJS.ProcessEnv, string]>([
    [{ HOST: 'http://x' }, 'HOST must be a host name or an IP address alone, such as 0.0.0.0, 127.0.0.1 or ::'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535'],
    [{ WEBHOOK_PATH: 'x' }, 'WEBHOOK_PATH must begin with "/", as in /webhooks/instantly'],
    [{ PUBLIC_URL: 'http://example.com' }, 'PUBLIC_URL must be a whole https:// address (http:// only for localhost)'],
    [{ INSTANTLY_API_URL: 'x' }, 'INSTANTLY_API_URL must be a whole https:// address (http:// only for localhost)'],
    [{ INSTANTLY_SIGNATURE_SCHEME: 'md5' }, `INSTANTLY_SIGNATURE_SCHEME must be one of ${SCHEMES}`],
    [{ INSTANTLY_SIGNATURE_HEADER: 'a b' }, `INSTANTLY_SIGNATURE_HEADER ${HEADER}`],
    [{ INSTANTLY_TIMESTAMP_HEADER: 'a:b' }, `INSTANTLY_TIMESTAMP_HEADER ${HEADER}`],
    [{ INSTANTLY_WEBHOOK_TOKEN_HEADER: 'a=b c' }, `INSTANTLY_WEBHOOK_TOKEN_HEADER ${HEADER}`],
    [
      { INSTANTLY_WEBHOOK_TOKEN_HEADER: 'Content-Type' },
      'INSTANTLY_WEBHOOK_TOKEN_HEADER must not be a header that HTTP itself or a proxy sets',
    ],
    [
      { INSTANTLY_SIGNATURE_TOLERANCE_SECONDS: '0' },
      'INSTANTLY_SIGNATURE_TOLERANCE_SECONDS must be a whole number of seconds from 1 to 86400',
    ],
    [{ INSTANTLY_REQUIRE: 'none' }, 'INSTANTLY_REQUIRE must be one of any, both'],
    [{ FAILED_AUTH_PER_MINUTE: '0' }, 'FAILED_AUTH_PER_MINUTE must be a whole number from 1 to 1000000'],
    [
      { DATABASE_URL: 'x.db' },
      'DATABASE_URL must be written as sqlite:PATH, such as sqlite:data/receiver.db, or as postgres://USER:PASSWORD@HOST:PORT/DATABASE',
    ],
    [
      { SPILL_DATABASE_URL: 'postgres://u:p@h/d' },
      'SPILL_DATABASE_URL must be written as sqlite:PATH, such as sqlite:data/receiver.db',
    ],
    [{ SPILL_LIMIT: '1023kb' }, `SPILL_LIMIT ${SIZE} 1mb to 1024gb`],
    [{ SPILL_LIMIT: '1025gb' }, `SPILL_LIMIT ${SIZE} 1mb to 1024gb`],
    [{ SPILL_DATABASE_URL: 'sqlite:' }, 'SPILL_DATABASE_URL must name a file, such as sqlite:data/receiver.db'],
    [
      { SPILL_DATABASE_URL: 'sqlite:./data/receiver.db' },
      'SPILL_DATABASE_URL must name another file than DATABASE_URL',
    ],
    [{ ROLE: 'boss' }, 'ROLE must be one of all, receiver, worker'],
    [{ RETENTION_DAYS: '0' }, 'RETENTION_DAYS must be a whole number of days from 1 to 3650'],
    [{ AUDIT_RETENTION_DAYS: '99999' }, 'AUDIT_RETENTION_DAYS must be a whole number of days from 1 to 36500'],
    [{ MIN_FREE_DISK: 'much' }, `MIN_FREE_DISK ${SIZE} 0 to 1024gb`],
    [{ HANDLER_CONCURRENCY: '2.5' }, 'HANDLER_CONCURRENCY must be a whole number from 1 to 1024'],
    [{ HANDLER_TIMEOUT_SECONDS: '30s' }, 'HANDLER_TIMEOUT_SECONDS must be a whole number of seconds from 1 to 86400'],
    [{ HANDLER_MAX_ATTEMPTS: '-1' }, 'HANDLER_MAX_ATTEMPTS must be a whole number from 1 to 1000'],
    [
      { HANDLER_BACKOFF_BASE_SECONDS: '0' },
      'HANDLER_BACKOFF_BASE_SECONDS must be a whole number of seconds from 1 to 86400',
    ],
    [
      { HANDLER_BACKOFF_CAP_SECONDS: '0' },
      'HANDLER_BACKOFF_CAP_SECONDS must be a whole number of seconds from 1 to 2592000',
    ],
    [{ ORDER_HOLD_SECONDS: '86401' }, 'ORDER_HOLD_SECONDS must be a whole number of seconds from 0 to 86400'],
    [{ BODY_LIMIT: '0' }, `BODY_LIMIT ${SIZE} 1 to 256mb`],
    [{ MAX_BUFFERED: '65gb' }, `MAX_BUFFERED ${SIZE} 1 to 64gb`],
    [{ MAX_CONNECTIONS: '0' }, 'MAX_CONNECTIONS must be a whole number from 1 to 1000000'],
    [{ HEADERS_TIMEOUT_SECONDS: '0' }, 'HEADERS_TIMEOUT_SECONDS must be a whole number of seconds from 1 to 3600'],
    [{ REQUEST_TIMEOUT_SECONDS: '3601' }, 'REQUEST_TIMEOUT_SECONDS must be a whole number of seconds from 1 to 3600'],
    [{ TRUST_PROXY: 'true' }, 'TRUST_PROXY must be a whole number from 0 to 32'],
    [{ AUDIT_KEY: 'first line\nsecond line' }, 'AUDIT_KEY must be one line'],
    [{ AUDIT_ANONYMOUS_PER_MINUTE: '0' }, 'AUDIT_ANONYMOUS_PER_MINUTE must be a whole number from 1 to 1000000'],
    [{ LOG_LEVEL: 'loud' }, `LOG_LEVEL must be one of ${LEVELS}`],
  ])('%j', (env, fault) => {
    expect(faultsOf(env)).toEqual([fault]);
  });

  test.each(LISTS)('in the list %s', (name) => {
    const faults = (value: string) => faultsOf({ [name]: value });
    const short = 'that is shorter than 16 characters; make a new one with the command "secrets new"';
    expect(faults('fifteen-letters')).toEqual([`${name} has a key ${short}`]);
    expect(faults(`${KEY},short`)).toEqual([`${name} has a key at position 2 of 2 ${short}`]);
    expect(faults(`${KEY},`)).toEqual([`${name} has a key at position 2 of 2 that is empty; take the spare comma out`]);
    expect(faults(`${KEY},,`)).toHaveLength(2);
    expect(faults(`${KEY}, ${TOKEN}, ${KEY}`)).toEqual([
      `${name} has the same key at positions 1 and 3; take one of them out`,
    ]);
    expect(faults(`${KEY}\n${TOKEN}`)).toEqual([
      `${name} has a key that holds a line break or another control character; separate keys with commas`,
    ]);
    expect(faults('x'.repeat(1025))).toEqual([
      `${name} has a key that is longer than 1024 characters; separate keys with commas`,
    ]);
    expect(faults(Array.from({ length: 17 }, (_, index) => `${KEY}${index}`).join())).toEqual([
      `${name} must hold at most 16 keys, and holds 17`,
    ]);
  });

  test.each(TOKENS)('in the token %s', (name) => {
    expect(faultsOf({ [name]: 'with a space in the middle' })).toEqual([
      `${name} must be visible ASCII characters without white space, because a header carries it`,
    ]);
    expect(faultsOf({ [name]: 'x'.repeat(1025) })).toEqual([`${name} must not be longer than 1024 characters`]);
  });
});

describe('the spill in the file of the store', () => {
  test('is no fault where only the default would lie there: nothing uses it', () => {
    expect(faultsOf({ DATABASE_URL: 'sqlite:data/spill.db' })).toEqual([]);
  });
});

describe('two settings that contradict each other', () => {
  test.each<[NodeJS.ProcessEnv, string]>([
    ...['worker', 'receiver'].map((role): [NodeJS.ProcessEnv, string] => [
      { ROLE: role },
      `ROLE=${role} needs PostgreSQL, because one process alone serves a SQLite file; set DATABASE_URL to a postgres:// URL, or set ROLE=all`,
    ]),
    [
      { BODY_LIMIT: '2mb', MAX_BUFFERED: '1mb' },
      'BODY_LIMIT must not be more than MAX_BUFFERED; lower it or raise MAX_BUFFERED',
    ],
    [{ BODY_LIMIT: '65mb' }, 'BODY_LIMIT must not be more than MAX_BUFFERED; lower it or raise MAX_BUFFERED'],
    [
      { HANDLER_BACKOFF_BASE_SECONDS: '9', HANDLER_BACKOFF_CAP_SECONDS: '8' },
      'HANDLER_BACKOFF_BASE_SECONDS must not be more than HANDLER_BACKOFF_CAP_SECONDS; lower it or raise HANDLER_BACKOFF_CAP_SECONDS',
    ],
    [
      { HEADERS_TIMEOUT_SECONDS: '31' },
      'HEADERS_TIMEOUT_SECONDS must not be more than REQUEST_TIMEOUT_SECONDS; lower it or raise REQUEST_TIMEOUT_SECONDS',
    ],
    [
      { INSTANTLY_SIGNATURE_HEADER: 'X-Same', INSTANTLY_WEBHOOK_TOKEN_HEADER: 'x-same' },
      'INSTANTLY_SIGNATURE_HEADER and INSTANTLY_WEBHOOK_TOKEN_HEADER must name two different headers',
    ],
    [
      { INSTANTLY_TIMESTAMP_HEADER: 'X-Webhook-Secret' },
      'INSTANTLY_TIMESTAMP_HEADER and INSTANTLY_WEBHOOK_TOKEN_HEADER must name two different headers',
    ],
    [
      { INSTANTLY_TIMESTAMP_HEADER: 'x-instantly-signature' },
      'INSTANTLY_TIMESTAMP_HEADER and INSTANTLY_SIGNATURE_HEADER must name two different headers',
    ],
    [
      { INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks', INSTANTLY_WEBHOOK_TOKEN_HEADER: 'webhook-id' },
      'INSTANTLY_WEBHOOK_TOKEN_HEADER must not be webhook-signature, webhook-id, webhook-timestamp, which the standard-webhooks scheme uses',
    ],
    [
      { INSTANTLY_SIGNATURE_SCHEME: 'hookdeck', INSTANTLY_WEBHOOK_TOKEN_HEADER: 'X-Hookdeck-Signature-2' },
      'INSTANTLY_WEBHOOK_TOKEN_HEADER must not be x-hookdeck-signature, x-hookdeck-signature-2, which the hookdeck scheme uses',
    ],
    [
      { INSTANTLY_SIGNATURE_SCHEME: 'svix', INSTANTLY_SECRET: KEY },
      `INSTANTLY_SECRET has a key ${UNFIT.replaceAll('standard-webhooks', 'svix')}`,
    ],
    [
      { INSTANTLY_REQUIRE: 'both', INSTANTLY_SECRET: KEY },
      'INSTANTLY_REQUIRE=both needs INSTANTLY_WEBHOOK_TOKEN as well; set it, or set INSTANTLY_REQUIRE=any',
    ],
    [
      { INSTANTLY_REQUIRE: 'both', INSTANTLY_WEBHOOK_TOKEN: TOKEN },
      'INSTANTLY_REQUIRE=both needs INSTANTLY_SECRET as well; set it, or set INSTANTLY_REQUIRE=any',
    ],
  ])('%j', (env, fault) => {
    expect(faultsOf(env)).toEqual([fault]);
  });

  test('the token header may be any name under a scheme that does not use it', () => {
    expect(faultsOf({ INSTANTLY_WEBHOOK_TOKEN_HEADER: 'webhook-id' })).toEqual([]);
  });

  test.each([
    KEY,
    'whsec_',
    'whsec_not!base64!not!base64',
    `whsec_${Buffer.alloc(15).toString('base64')}`,
    STANDARD_KEY.replace(/=+$/, ''),
    STANDARD_KEY.replace('whsec_', ''),
  ])('%s is no standard-webhooks key', (key) => {
    const faults = faultsOf({
      INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks',
      INSTANTLY_SECRET: `${STANDARD_KEY},${key}`,
    });
    if (key.length < 16) expect(faults).toHaveLength(1);
    else expect(faults).toEqual([`INSTANTLY_SECRET has a key at position 2 of 2 ${UNFIT}`]);
  });

  test.each([16, 24, 33, 64])('%d bytes of base64 are one', (length) => {
    const key = `whsec_${Buffer.alloc(length, 1).toString('base64')}`;
    expect(faultsOf({ INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks', INSTANTLY_SECRET: key })).toEqual([]);
  });
});

describe('secrets from files', () => {
  test.each(SECRETS)('%s set both ways is a fault', (name) => {
    const cwd = makeFolder();
    writeIn(cwd, 'secret', name === 'DATABASE_URL' ? 'sqlite:x.db' : TOKEN);
    const value = name === 'DATABASE_URL' ? 'sqlite:x.db' : TOKEN;
    expect(faultsOf({ [name]: value, [`${name}_FILE`]: 'secret' }, cwd)).toEqual([
      `${name} and ${name}_FILE are both set; keep one of them`,
    ]);
  });

  test('an unreadable one names variable, path and the system error', () => {
    const cwd = makeFolder();
    mkdirSync(join(cwd, 'folder'));
    writeIn(cwd, 'binary', new Uint8Array([0xff, 0x80, 0x41]));
    writeIn(cwd, 'utf16', Buffer.from('a key in two bytes a letter', 'utf16le'));
    writeIn(cwd, 'large', 'x'.repeat(65 * 1024));
    writeIn(cwd, 'blank', ' \n');
    const fix = "correct the path or the file's rights, or unset the variable";
    const path = (name: string) => JSON.stringify(join(cwd, name));
    const faults = (name: string) => faultsOf({ INSTANTLY_WEBHOOK_TOKEN_FILE: name }, cwd);
    const unreadable = (name: string, why: string) => [
      `INSTANTLY_WEBHOOK_TOKEN_FILE names ${path(name)}, which cannot be read (${why}); ${fix}`,
    ];
    expect(faults('absent')).toEqual(unreadable('absent', 'ENOENT, no such file'));
    expect(faults('folder')).toEqual(unreadable('folder', 'EISDIR, it is a folder'));
    expect(faults('blank/x')).toEqual(unreadable('blank/x', 'ENOTDIR, a part of its path is not a folder'));
    expect(faults('binary')).toEqual(unreadable('binary', 'not-text, it is not UTF-8 text'));
    expect(faults('utf16')).toEqual(
      unreadable('utf16', 'utf-16, it is UTF-16, as Windows PowerShell writes; save it as UTF-8'),
    );
    expect(faults('large')).toEqual(unreadable('large', 'too-large, it is far too large for what it should hold'));
    expect(faults('blank')).toEqual([
      `INSTANTLY_WEBHOOK_TOKEN_FILE names ${path('blank')}, which is empty; put the value there or unset the variable`,
    ]);
  });

  test('a device without an end does not hang the start', () => {
    expect(faultsOf({ AUDIT_KEY_FILE: '/dev/zero' })[0]).toContain('(too-large');
  });

  test('a bad value in one names where it came from', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'secret', 'short\n');
    expect(faultsOf({ INSTANTLY_SECRET_FILE: 'secret' }, cwd)).toEqual([
      'INSTANTLY_SECRET (from INSTANTLY_SECRET_FILE) has a key that is shorter than 16 characters; make a new one with the command "secrets new"',
    ]);
  });

  test('an unreadable .env is a fault, an absent one is not', () => {
    const cwd = makeFolder();
    mkdirSync(join(cwd, '.env'));
    expect(faultsOf({}, cwd)).toEqual([
      `.env cannot be read at ${JSON.stringify(join(cwd, '.env'))} (EISDIR, it is a folder); mend it or take it away`,
    ]);
    expect(faultsOf({})).toEqual([]);
  });
});

describe('production without a secret', () => {
  test('is one fault of one line that names the variables', () => {
    const faults = faultsOf({ NODE_ENV: 'production' });
    expect(faults).toEqual([
      'NODE_ENV=production needs INSTANTLY_WEBHOOK_TOKEN (the value Instantly repeats in a header) or INSTANTLY_SECRET (the key of a signing relay) to be set; the command "secrets new" makes one',
    ]);
  });

  test('names both where both are required', () => {
    expect(faultsOf({ NODE_ENV: 'production', INSTANTLY_REQUIRE: 'both' })).toEqual([
      'NODE_ENV=production needs INSTANTLY_WEBHOOK_TOKEN and INSTANTLY_SECRET both to be set; the command "secrets new" makes one',
    ]);
  });

  test('points at the mistyped variable that may have been meant', () => {
    const faults = faultsOf({ NODE_ENV: 'production', INSTANTLY_SECRETS: KEY, LOG_LEVELS: 'info' });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/\(INSTANTLY_SECRETS is not a setting [^;]*; did you mean INSTANTLY_SECRET\?\)$/);
    expect(faults[0]).not.toContain('\n');
  });

  test.each(LISTS)('is no fault with %s alone, nor when that could not be read', (name) => {
    expect(faultsOf({ NODE_ENV: 'production', [name]: KEY })).toEqual([]);
    expect(faultsOf({ NODE_ENV: 'production', [`${name}_FILE`]: 'absent' })).toHaveLength(1);
  });

  test('nothing an earlier start generated stands in', () => {
    const cwd = makeFolder();
    load({}, cwd);
    expect(faultsOf({ NODE_ENV: 'production' }, cwd)).toHaveLength(1);
  });
});

describe('a worker in production', () => {
  const WORKER = { NODE_ENV: 'production', ROLE: 'worker', DATABASE_URL: 'postgres://u:p@localhost/d', AUDIT_KEY: KEY };

  test('needs no secret for receiving, and gets none', () => {
    const cwd = makeFolder();
    const { authentication, generatedSecrets } = load(WORKER, cwd);
    expect([authentication.signatureKeys, authentication.tokens, generatedSecrets]).toEqual([[], [], []]);
    expect(readdirSync(join(cwd, 'data'))).toEqual([]);
  });

  test.each(LISTS)('may share %s with its receivers, though these need both', (name) => {
    expect(faultsOf({ ...WORKER, INSTANTLY_REQUIRE: 'both', [name]: KEY })).toEqual([]);
  });

  test.each(['receiver', 'all'])('is the only one: %s needs it', (role) => {
    expect(faultsOf({ ...WORKER, ROLE: role })).toEqual([expect.stringContaining('NODE_ENV=production needs')]);
  });
});

test('every fault is named at once, and nothing has been made', () => {
  const cwd = makeFolder();
  writeIn(cwd, '.env', 'PORT=x\nMAX_CONNECTIONS=0\n');
  const env = {
    NODE_ENV: 'production',
    LOG_LEVEL: 'loud',
    INSTANTLY_REQUIRE: 'both',
    INSTANTLY_SECRET: 'short,short',
    BODY_LIMIT: '2mb',
    MAX_BUFFERED: '1mb',
    ADMIN_TOKEN_FILE: 'absent',
    DATABASE_URL: 'postgres://u:p@h',
    ROLE: 'receiver',
  };
  const faults = faultsOf(env, cwd);
  expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
    'ADMIN_TOKEN_FILE',
    'PORT',
    'INSTANTLY_SECRET',
    'INSTANTLY_SECRET',
    'INSTANTLY_SECRET',
    'DATABASE_URL',
    'MAX_CONNECTIONS',
    'LOG_LEVEL',
    'BODY_LIMIT',
    'INSTANTLY_REQUIRE=both',
  ]);
  expect(readdirSync(cwd)).toEqual(['.env']);
});

test('no value is ever repeated in a fault or a warning', () => {
  const wrap = fc.constantFrom<(mark: string) => string>(
    (mark) => mark,
    (mark) => `${mark},${mark}`,
    (mark) => `${KEY},${mark}\n${mark}`,
    (mark) => `postgres://user:${mark}@host/db`,
    (mark) => `postgres://user:${mark}@host`,
    (mark) => `postgres://user:12/${mark}@host/db`,
    (mark) => `postgres://user:${mark}#${mark}@host/db`,
    (mark) => `postgres://user:${mark}%@host/db`,
    (mark) => `postgres://user:${mark} @host/db`,
    (mark) => `postgres://host/db?${mark}=${mark}`,
    (mark) => `postgres://host/db?sslmode=${mark}&host=${mark},${mark}&port=${mark}`,
    (mark) => `postgres://host/db?sslrootcert=${mark}`,
    (mark) => `postgres://user:${mark}@host/db?connect_timeout=${mark}`,
    (mark) => `https://user:${mark}@host/`,
    (mark) => `sqlite://${mark}`,
    (mark) => `/${mark}?${mark}`,
    (mark) => `${mark} ${mark}`.padEnd(2000, 'x'),
  );
  const names = fc.constantFrom(...SETTING_NAMES, 'INSTANTLY_SECRETS', 'INSTANTLY_OTHER');
  const cwd = makeFolder();
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(names, wrap), { minLength: 1, maxLength: 12, selector: ([name]) => name }),
      (given) => {
        const mark = 'Qx7';
        const env = Object.fromEntries(given.map(([name, shape]) => [name, shape(mark)]));
        expect(sayAll(env, cwd)).not.toContain(mark);
      },
    ),
    { numRuns: 300 },
  );
  expect(existsSync(join(cwd, 'data'))).toBe(false);
});

/** All that loading these variables says to people. */
function sayAll(env: NodeJS.ProcessEnv, cwd: string): string {
  try {
    return loadSettings({ env, cwd, create: false }).warnings.join('\n');
  } catch (error) {
    if (error instanceof SettingsError) return `${error.message}\n${error.stack}`;
    throw error;
  }
}

describe('HANDLERS_DIR', () => {
  const absent = (cwd: string) =>
    `HANDLERS_DIR names a folder that does not exist (a relative path starts at ${JSON.stringify(cwd)}); make the folder, correct the path, or unset it`;

  test('that is set and absent is refused, wherever it is set', () => {
    const cwd = makeFolder();
    expect(faultsOf({ HANDLERS_DIR: './handler' }, cwd)).toEqual([absent(cwd)]);
    expect(faultsOf({ HANDLERS_DIR: '/no/such' }, cwd)).toEqual([absent(cwd)]);
    expect(faultsOf({ HANDLERS_DIR: '~/handlers' }, cwd)).toEqual([absent(cwd)]);
    writeIn(cwd, '.env', 'HANDLERS_DIR=handlers\n');
    expect(faultsOf({}, cwd)).toEqual([absent(cwd)]);
    mkdirSync(join(cwd, 'handlers'));
    expect(faultsOf({}, cwd)).toEqual([]);
  });

  test('that is unset may be absent, and a command or a receiver that runs no handlers goes on without', () => {
    const cwd = makeFolder();
    expect(faultsOf({ HANDLERS_DIR: ' ' }, cwd)).toEqual([]);
    expect(load({ HANDLERS_DIR: 'no' }, cwd, false).warnings).toContain(absent(cwd));
    const env = { HANDLERS_DIR: 'no', ROLE: 'receiver', DATABASE_URL: 'postgres://u:p@db/x' };
    expect(faultsOf(env, cwd)).toEqual([]);
  });
});
