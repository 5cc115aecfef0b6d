import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { Line } from '../../src/cli/doctor/check.ts';
import type { FilledItem } from '../../src/cli/doctor/checklist.ts';
import { CHECKS } from '../../src/cli/doctor/checks.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { callFake } from '../support/call-fake.ts';
import { freePort } from '../support/free-port.ts';
import { type Installation, makeBrokenInstallation, makeGoodInstallation } from '../support/installation.ts';
import { makeToken } from '../support/made-secrets.ts';
import { makeCertificate } from '../support/make-certificate.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type Ran, runCommand, runJson } from '../support/run-command.ts';
import { spawnReceiverIn } from '../support/spawn-receiver.ts';
import { type Front, startFront } from '../support/start-front.ts';
import { makeFolder } from '../support/start-receiver.ts';

const DAY_MS = 86_400_000;
const PATH = { PATH: process.env['PATH'] ?? '' };

interface Diagnosis {
  readonly code: Ran['code'];
  readonly lines: Line[];
}

async function diagnose(folder: string, env: NodeJS.ProcessEnv): Promise<Diagnosis> {
  const { code, stdout, stderr } = await runCommand(folder, ['doctor', '--json'], { env });
  if (stderr !== '') throw new Error(stderr);
  return { code, lines: JSON.parse(stdout) };
}

const linesOf = ({ lines }: Diagnosis, check: string) => lines.filter((line) => line.check === check);
const saidOf = (diagnosis: Diagnosis, check: string) =>
  linesOf(diagnosis, check).map(({ status, found }) => `${status} ${found}`);

describe('a fresh folder', () => {
  const folder = makeFolder();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('nothing fails, nothing is made, and what needs a store says how to have one', async () => {
    const { code, lines } = await diagnose(folder, { ...PATH, INSTANTLY_API_KEY: makeToken() });
    expect(code).toBe(0);
    expect([...new Set(lines.map(({ check }) => check))]).toEqual(CHECKS.map(({ name }) => name));
    const statuses = Object.groupBy(lines, ({ status }) => status);
    expect(statuses.fail).toBeUndefined();
    expect(statuses.warn).toBeUndefined();
    expect(statuses.ok?.map(({ check }) => check)).toEqual([
      'settings',
      '.env',
      'secrets',
      'secrets scan',
      'disk',
      'spill',
    ]);
    for (const check of ['store', 'instantly', 'api keys', 'clock', 'receivers', 'rotation']) {
      expect(lines.find((line) => line.check === check)).toEqual({
        check,
        status: 'skip',
        found: `there is no store at ${join(folder, 'data/receiver.db')} yet`,
        fix: 'start the receiver once',
      });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('for people: what is left out for the same reason is said once, and the sum on stderr', async () => {
    const { code, stdout, stderr } = await runCommand(folder, ['doctor'], { env: PATH });
    expect(code).toBe(0);
    expect(stdout.match(/there is no store/g)).toHaveLength(1);
    expect(stdout).toMatch(/^skip {2}secret age {4}there is no store at .* \(so with store, audit log, receivers, /m);
    expect(stdout).toMatch(/^ok {4}settings {6}all can be used; it runs as development$/m);
    expect(stdout).toMatch(/^ {20}fix: start the receiver once$/m);
    expect(stderr).toMatch(/^0 fail, 0 warn, \d+ skip, 6 ok\n$/);
  });

  test('settings that cannot be loaded are lines, each with its fix, and never exit 78', async () => {
    const wrong = { DATABASE_URL: 'mysql://x', PORT: '70000', NODE_ENV: 'production', METRICS_TOKEN: 'short' };
    const diagnosis = await diagnose(folder, { ...PATH, ...wrong });
    expect(diagnosis.code).toBe(1);
    expect(saidOf(diagnosis, 'settings')).toEqual([
      expect.stringMatching(/^fail PORT must be a whole number/),
      expect.stringMatching(/^fail DATABASE_URL must be written as sqlite:PATH/),
      expect.stringMatching(/^fail NODE_ENV is production, and neither INSTANTLY_WEBHOOK_TOKEN nor INSTANTLY_SECRET/),
    ]);
    expect(saidOf(diagnosis, 'store')).toEqual(['skip it goes by DATABASE_URL, which cannot be used']);
    // Said by one check alone, with what else does not go by the wrong ones.
    expect(saidOf(diagnosis, 'secrets')).toEqual([expect.stringMatching(/^fail METRICS_TOKEN is a placeholder/)]);
    expect(diagnosis.lines.filter(({ found }) => found.includes('METRICS_TOKEN'))).toHaveLength(1);
    expect(saidOf(diagnosis, '.env')).toEqual(['ok there is none']);
    for (const { status, fix } of diagnosis.lines) expect(fix === null).toBe(status === 'ok');
  });

  test('even where nothing of them can be used', async () => {
    const odd = makeFolder();
    mkdirSync(join(odd, '.env'));
    const diagnosis = await diagnose(odd, PATH);
    expect(diagnosis.code).toBe(1);
    expect(saidOf(diagnosis, 'settings')).toEqual([expect.stringMatching(/^fail \.env cannot be read/)]);
    expect(saidOf(diagnosis, 'secrets')).toEqual(['skip the settings cannot be used']);
    expect(saidOf(diagnosis, 'store')).toEqual(['skip the settings cannot be used']);
    rmSync(odd, { recursive: true, force: true });
  });
});

describe('a good installation', () => {
  const pair = makeToken().slice(0, 24);
  const [one, other] = [`one-${pair}-of-twins`, `two-${pair}-of-twins`];
  let good: Installation;
  const fronts: Front[] = [];

  beforeAll(async () => {
    good = await makeGoodInstallation([
      { name: 'one', scopes: ['all:read'], key: one },
      { name: 'other', scopes: ['webhooks:read'], key: other },
      { name: 'narrow', scopes: ['webhooks:read', 'campaigns:read'] },
      { name: 'blind', scopes: ['api_keys:read'] },
    ]);
  }, 60_000);
  afterEach(async () => {
    good.fake.clearFaults();
    for (const front of fronts.splice(0)) await front.stop();
  });
  afterAll(() => good.stop());

  const look = (env: NodeJS.ProcessEnv = {}) => diagnose(good.folder, { ...good.env, ...env });
  const front = async (...options: Parameters<typeof startFront>): Promise<Front> => {
    const started = await startFront(...options);
    fronts.push(started);
    return started;
  };
  const receiverUrl = (): string => new URL(good.fake.webhooks()[0]?.target_hook_url ?? '').origin;

  test('all is ok, and no secret is in what is said', async () => {
    const diagnosis = await look();
    expect(diagnosis.lines.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(diagnosis.code).toBe(0);
    expect([...new Set(diagnosis.lines.map(({ check }) => check))]).toEqual(CHECKS.map(({ name }) => name));
    for (const secret of good.secrets) expect(JSON.stringify(diagnosis)).not.toContain(secret);
  }, 60_000);

  test('the checklists are filled in: all that doctor can prove holds, the rest is named', async () => {
    const { code, stdout, stderr } = await runCommand(good.folder, ['doctor', '--checklist', '--json'], {
      env: good.env,
    });
    expect([code, stderr]).toEqual([0, '']);
    const items = JSON.parse(stdout) as FilledItem[];
    expect(items.filter(({ state }) => !['holds', 'by-hand'].includes(state))).toEqual([]);
    expect(items.find(({ command }) => command === 'audit verify')?.state).toBe('holds');
    const shown = await runCommand(good.folder, ['doctor', '--checklist'], { env: good.env });
    expect(shown.stdout.match(/^\[[x-]\] .*: \S/gm)).toHaveLength(items.length);
    expect(shown.stderr).toMatch(/^\d+ holds, 0 fails, 0 unknown, \d+ by-hand\n$/);
    for (const secret of good.secrets) expect(stdout + shown.stdout).not.toContain(secret);
  }, 60_000);

  test('it only looks: what it asks is read and audited, and one request of its own is refused', async () => {
    const readSeen = () => {
      const db = new DatabaseSync(join(good.folder, 'data/receiver.db'), { readOnly: true });
      const rows = db.prepare('SELECT fingerprint, first_seen_at FROM secrets_seen ORDER BY 1').all();
      db.close();
      return rows;
    };
    const readLog = () => runJson<AuditEntry[]>(good.folder, ['audit', 'tail', '--limit', '100000'], { env: good.env });
    const [before, seen, calls] = [await readLog(), readSeen(), good.fake.calls().length];
    await look({ METRICS_TOKEN: makeToken() });
    const known = new Set(before.map(({ id }) => id));
    const entries = (await readLog()).filter(({ id }) => !known.has(id));
    expect(readSeen()).toEqual(seen);
    const asked = entries.filter(
      ({ action, userId }) => action === 'instantly.api.call' && userId === 'operator:tester',
    );
    expect(new Set(asked.map(({ metadata }) => metadata['operation']))).toEqual(
      new Set(['webhooks.list', 'api-keys.list', 'audit-logs.list']),
    );
    expect(
      new Set(
        good.fake
          .calls()
          .slice(calls)
          .map(({ method }) => method),
      ),
    ).toEqual(new Set(['GET']));
    const posted = entries.filter(({ action }) => action === 'webhook.receive');
    expect(posted.map(({ metadata: { status, method } }) => [status, method])).toEqual([[401, 'POST']]);
    expect(posted[0]?.metadata['requestId']).toMatch(/^doctor-[0-9a-f-]{36}$/);
  }, 60_000);

  test('a secret that no receiver has seen is of unknown age, and one that is too old is told', async () => {
    const diagnosis = await look({ METRICS_TOKEN: makeToken() });
    expect(saidOf(diagnosis, 'secret age')).toContain('skip unknown for METRICS_TOKEN');
    const db = new DatabaseSync(join(good.folder, 'data/receiver.db'));
    db.prepare('UPDATE secrets_seen SET first_seen_at = ?').run(Date.now() - 100 * DAY_MS);
    db.close();
    expect(saidOf(await look(), 'secret age')).toEqual([
      'warn INSTANTLY_WEBHOOK_TOKEN is 100 days old, and SECRET_MAX_AGE_DAYS is 90',
    ]);
    expect(saidOf(await look({ SECRET_MAX_AGE_DAYS: '101' }), 'secret age')).toEqual([
      'ok the oldest, INSTANTLY_WEBHOOK_TOKEN, has been in use for 100 days',
    ]);
  }, 60_000);

  test('by what NODE_ENV says, other scopes are right', async () => {
    const staging = saidOf(await look({ NODE_ENV: 'staging' }), 'api keys');
    expect(staging).toEqual([
      expect.stringMatching(/^ok the key in INSTANTLY_READ_KEY may do what it should/),
      'fail the key in INSTANTLY_WRITE_KEY may change what is too much in staging (webhooks:delete)',
    ]);
    expect(saidOf(await look({ NODE_ENV: 'development' }), 'api keys')).toEqual([
      'ok they are of a fake Instantly on this machine, and open no real workspace',
    ]);
  }, 60_000);

  test('one key for both: two are better', async () => {
    const all = { INSTANTLY_READ_KEY: good.fake.keys.all, INSTANTLY_WRITE_KEY: good.fake.keys.all };
    const diagnosis = await look(all);
    expect(diagnosis.code).toBe(1);
    expect(saidOf(diagnosis, 'api keys')).toEqual([
      'fail the key in INSTANTLY_READ_KEY may do everything in the workspace (all:all)',
      'warn the key in INSTANTLY_READ_KEY both reads and writes; two are better',
    ]);
  }, 60_000);

  test('a key that cannot be told from others is tried by reading', async () => {
    const diagnosis = await look({ INSTANTLY_READ_KEY: one, INSTANTLY_WRITE_KEY: other });
    expect(saidOf(diagnosis, 'api keys')).toEqual([
      'ok the key in INSTANTLY_READ_KEY may read (api_keys:read, audit_logs:read, campaigns:read, webhook_events:read, webhooks:read)',
      expect.stringMatching(/^skip the key in INSTANTLY_READ_KEY is not to be told from others/),
      expect.stringMatching(/^skip the key in INSTANTLY_WRITE_KEY is not to be told from others/),
    ]);
  }, 60_000);

  test('and so is one that may not list keys', async () => {
    const diagnosis = await look({ INSTANTLY_READ_KEY: good.fake.keys['narrow'] });
    expect(saidOf(diagnosis, 'api keys')).toEqual([
      expect.stringMatching(/^warn the key in INSTANTLY_READ_KEY lacks the scope api_keys:read \(403\), so the scopes/),
      'warn the key in INSTANTLY_READ_KEY lacks api_keys:read, as a read has shown',
      'warn the key in INSTANTLY_READ_KEY lacks audit_logs:read, as a read has shown',
      'warn the key in INSTANTLY_READ_KEY lacks webhook_events:read, as a read has shown',
      'ok the key in INSTANTLY_READ_KEY may read (campaigns:read, webhooks:read)',
      expect.stringMatching(/^skip the key in INSTANTLY_READ_KEY is not to be told/),
      expect.stringMatching(/^skip the key in INSTANTLY_WRITE_KEY is not to be told/),
    ]);
  }, 60_000);

  test('a key that lacks the very scope of its first question is still judged', async () => {
    const diagnosis = await look({ INSTANTLY_READ_KEY: good.fake.keys['blind'] });
    expect(saidOf(diagnosis, 'instantly')).toEqual([
      'fail the key in INSTANTLY_READ_KEY lacks the scope webhooks:read (403)',
    ]);
    expect(saidOf(diagnosis, 'registration')).toEqual(['skip the webhooks could not be listed']);
    expect(saidOf(diagnosis, 'api keys')).toContain(
      'fail the key in INSTANTLY_READ_KEY lacks webhooks:read, which is needed for: the watch of the service, webhooks list, webhooks register, webhooks test, webhooks resume, webhooks delete, secrets rotate, reconcile, doctor',
    );
  }, 60_000);

  test.each<[string, () => Promise<NodeJS.ProcessEnv>, string]>([
    [
      'does not know the key',
      async () => ({ INSTANTLY_READ_KEY: makeToken() }),
      'fail Instantly does not know the key',
    ],
    [
      'cannot be reached',
      async () => ({ INSTANTLY_API_URL: `http://127.0.0.1:${await freePort()}` }),
      'fail Instantly could not be reached (ECONNREFUSED)',
    ],
    ['is no Instantly', async () => ({ INSTANTLY_API_URL: receiverUrl() }), 'fail Instantly has no such thing (404)'],
  ])(
    'one that %s is told once, and the rest is left out',
    async (_, make, found) => {
      const diagnosis = await look(await make());
      expect(diagnosis.code).toBe(1);
      expect(saidOf(diagnosis, 'instantly')).toEqual([expect.stringContaining(found)]);
      const others = diagnosis.lines.filter(({ status, check }) => status === 'fail' && check !== 'instantly');
      expect(others).toEqual([]);
      expect(saidOf(diagnosis, 'api keys')).toEqual(['skip Instantly could not be asked']);
    },
    60_000,
  );

  test('a proxy in front that keeps /healthz inside, and names requests anew, is well', async () => {
    const { url } = await front(receiverUrl(), { hidden: ['/healthz'], renames: true });
    expect(saidOf(await look({ PUBLIC_URL: url }), 'public url')).toEqual([
      'ok it leads to a receiver on this store: a request with a wrong token was refused and audited; /healthz stays inside, which is well',
    ]);
  }, 60_000);

  test('an address that differs in its scheme is no registration of ours', async () => {
    const url = receiverUrl();
    await callFake(good.fake, 'POST /webhooks', {
      body: { target_hook_url: `${url.replace('http:', 'https:')}/webhooks/elsewhere`, event_type: 'email_sent' },
    });
    const diagnosis = await look({ WEBHOOK_PATH: '/webhooks/elsewhere' });
    expect(saidOf(diagnosis, 'registration')).toEqual([
      expect.stringMatching(
        /^fail no webhook at Instantly posts to .*\/elsewhere; webhook .* posts to nearly the same/,
      ),
    ]);
    expect(saidOf(diagnosis, 'public url')).toEqual([
      expect.stringMatching(/^fail a request with a wrong token is answered 404/),
    ]);
  }, 60_000);

  test('nor where another one is, and its deliveries are lost', async () => {
    const url = `${receiverUrl().replace('http:', 'https:')}/Webhooks/instantly/`;
    const { body } = await callFake(good.fake, 'POST /webhooks', {
      body: { target_hook_url: url, event_type: 'email_sent' },
    });
    const said = saidOf(await look({}), 'registration');
    expect(said).toContainEqual(
      expect.stringMatching(/^warn webhook .* posts to nearly the same address, and not to this one/),
    );
    await callFake(good.fake, `DELETE /webhooks/${(body as { id: string }).id}`);
  }, 60_000);

  test('what is there is no receiver of ours: whoever lets a wrong token in', async () => {
    const open = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1');
    await once(open, 'listening');
    const url = `http://127.0.0.1:${(open.address() as AddressInfo).port}`;
    expect(saidOf(await look({ PUBLIC_URL: url }), 'public url')).toEqual([
      expect.stringMatching(/^fail a request with a wrong token is answered 200 at .*: that is no receiver of ours$/),
    ]);
    open.close();
    expect(saidOf(await look({ PUBLIC_URL: 'http://127.0.0.1:1' }), 'public url')).toEqual([
      'fail http://127.0.0.1:1 cannot be reached (ECONNREFUSED)',
    ]);
  }, 60_000);

  test.each([
    ['that ends soon', 5, 1, 'warn its certificate ends in 4 days'],
    ['that holds', 90, 1, 'ok its certificate holds until '],
    ['that has ended', -2, 1, 'fail the certificate of .* is not accepted \\(CERT_HAS_EXPIRED\\)'],
    ['of nobody known', 90, 0, 'fail the certificate of .* is not accepted \\((DEPTH_ZERO_)?SELF_SIGNED_CERT'],
  ])(
    'a certificate %s',
    async (_, days, isTrusted, found) => {
      const certificate = makeCertificate(days * DAY_MS);
      const { url } = await front(receiverUrl(), { certificate });
      const file = join(good.folder, 'authority.pem');
      writeFileSync(file, certificate.cert);
      const diagnosis = await look({ PUBLIC_URL: url, ...(isTrusted === 1 ? { NODE_EXTRA_CA_CERTS: file } : {}) });
      expect(saidOf(diagnosis, 'public url')[0]).toMatch(new RegExp(`^${found}`));
      if (!found.startsWith('fail')) expect(saidOf(diagnosis, 'public url')[1]).toMatch(/^ok it leads to a receiver/);
      rmSync(file);
    },
    60_000,
  );

  test('an address of this machine is no use to an Instantly elsewhere', async () => {
    // Which is not asked for want of the right key of the audit log.
    const diagnosis = await look({ INSTANTLY_API_URL: 'https://receiver.invalid', AUDIT_KEY: makeToken() });
    expect(saidOf(diagnosis, 'public url')[0]).toMatch(/^fail http:.* is an address of this machine: Instantly cannot/);
  }, 60_000);

  test('a clock that is some way off is a warning', async () => {
    const { url } = await front(good.fake.url, { aheadMs: -60_000 });
    expect(saidOf(await look({ INSTANTLY_API_URL: url }), 'clock')).toEqual([
      expect.stringMatching(/^warn this machine's clock is (59|60|61) s ahead of Instantly's$/),
    ]);
  }, 60_000);

  test('a key that is not the one of the log keeps Instantly from being asked, and nothing else', async () => {
    const calls = good.fake.calls().filter(({ operation }) => operation === 'GET /api-keys').length;
    const diagnosis = await look({ AUDIT_KEY: makeToken() });
    expect(diagnosis.code).toBe(1);
    expect(saidOf(diagnosis, 'audit log')).toEqual([
      expect.stringMatching(/^fail AUDIT_KEY is not the key with which the audit log in .* is written$/),
    ]);
    expect(saidOf(diagnosis, 'instantly')).toEqual([
      'skip calls of the API could not be written to the audit log, so none is made',
    ]);
    expect(saidOf(diagnosis, 'store')[0]).toMatch(/^ok /);
    expect(good.fake.calls().filter(({ operation }) => operation === 'GET /api-keys')).toHaveLength(calls);
  }, 60_000);

  test('a store that another process has locked cannot be written, and so nothing be asked', async () => {
    const db = new DatabaseSync(join(good.folder, 'data/receiver.db'));
    db.exec('BEGIN IMMEDIATE');
    const diagnosis = await look();
    db.exec('ROLLBACK');
    db.close();
    expect(saidOf(diagnosis, 'store')).toEqual([expect.stringMatching(/^fail .* cannot be written: .*locked/)]);
    expect(saidOf(diagnosis, 'instantly')).toEqual([
      'skip calls of the API could not be written to the audit log, so none is made',
    ]);
  }, 60_000);

  test('whatever hangs, it ends within a minute', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const started = performance.now();
    const diagnosis = await look({ PUBLIC_URL: url, INSTANTLY_API_URL: url });
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(diagnosis.code).toBe(1);
    expect(saidOf(diagnosis, 'instantly')).toEqual(['fail Instantly did not answer in time']);
    expect(saidOf(diagnosis, 'public url')).toEqual([`fail ${url} does not answer in time`]);
    expect(saidOf(diagnosis, 'api keys')).toEqual(['skip Instantly could not be asked']);
    silent.close();
    silent.closeAllConnections();
  }, 90_000);
});

describe('with PostgreSQL', () => {
  const folder = makeFolder();
  let database: TestDatabase;
  let port = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    port = await freePort();
  });
  afterAll(async () => {
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const settings = () => ({
    ...PATH,
    DATABASE_URL: database.url,
    AUDIT_KEY: 'audit-key-of-the-database-test',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    INSTANTLY_API_URL: `http://127.0.0.1:${port}`,
  });

  test('the server, its version, the spill, and that it is this installation', async () => {
    const receiver = await spawnReceiverIn(folder, { ...settings(), PORT: String(port) });
    try {
      const diagnosis = await diagnose(folder, settings());
      expect(saidOf(diagnosis, 'store')).toEqual([
        expect.stringMatching(/^ok postgres:\/\/.* can be written$/),
        expect.stringMatching(/^ok PostgreSQL 1[5-8]$/),
      ]);
      expect(saidOf(diagnosis, 'spill')).toEqual(['ok empty: PostgreSQL has everything']);
      expect(saidOf(diagnosis, 'receivers')).toEqual(['ok 1 on this store (role all)']);
      expect(saidOf(diagnosis, 'public url')[0]).toMatch(/^ok it leads to a receiver on this store/);
      expect(saidOf(diagnosis, 'instantly')).toEqual(['skip there is no API key for reading']);
      expect(JSON.stringify(diagnosis)).not.toContain(new URL(database.url).password);
    } finally {
      await receiver.stop();
    }
  }, 60_000);

  test('one that is away, with what the spill holds', async () => {
    const file = join(folder, 'data/spill.db');
    const spill = await SqliteStore.open({ file, writer: 'test', auditKey: 'audit-key-of-the-test', serve: false });
    await spill.commit(makeBatch({ accepts: [makeAccept()] }));
    await spill.close();
    const away = new URL(database.url);
    away.port = String(port);
    const diagnosis = await diagnose(folder, { ...settings(), DATABASE_URL: away.href });
    expect(diagnosis.code).toBe(1);
    expect(saidOf(diagnosis, 'store')).toEqual([
      expect.stringMatching(/^fail postgres:\/\/.* cannot be opened: .*ECONNREFUSED/),
    ]);
    expect(saidOf(diagnosis, 'spill')).toEqual([`warn 1 event in ${file}, still to be moved to PostgreSQL`]);
    expect(saidOf(diagnosis, 'receivers')).toEqual(['skip the store cannot be opened']);
    expect(JSON.stringify(diagnosis)).not.toContain(new URL(database.url).password);
  }, 60_000);
});

describe('an installation that is broken in many ways', () => {
  let broken: Installation;
  let found: Diagnosis;

  beforeAll(async () => {
    broken = await makeBrokenInstallation();
    found = await diagnose(broken.folder, broken.env);
  }, 90_000);
  afterAll(() => broken.stop());

  test.each<[string, Line['status'], RegExp, RegExp]>([
    ['settings', 'fail', /^HANDLER_TIMEOUT_SECONDS must be a whole number/, /^correct it/],
    ['settings', 'warn', /^the audit key lies at .*, beside the entries it seals/, /set AUDIT_KEY_FILE$/],
    ['.env', 'fail', /^other users of this machine may open it \(mode 0644\)$/, /^chmod 600 \.env$/],
    ['.env', 'fail', /^git tracks it/, /^git rm --cached \.env/],
    ['.env', 'fail', /^it is in the history of git \(commit [0-9a-f]{12}\)$/, /^make every secret in it worthless/],
    ['secrets', 'fail', /^INSTANTLY_WEBHOOK_TOKEN at position 2 is a placeholder/, /"secrets new --kind token"$/],
    [
      'secrets',
      'fail',
      /^INSTANTLY_WEBHOOK_TOKEN at position 1 and METRICS_TOKEN hold the same/,
      /^give each its own$/,
    ],
    ['secret age', 'warn', /^INSTANTLY_WEBHOOK_TOKEN:1 is 100 days old/, /^run "instantly-receiver secrets rotate"/],
    ['secret age', 'warn', /^METRICS_TOKEN is 100 days old/, /^run "instantly-receiver secrets new --kind metrics"/],
    ['secrets scan', 'fail', /^a secret that is in use in \.env:\d/, /^make it worthless/],
    ['secrets scan', 'fail', /^INSTANTLY_WEBHOOK_TOKEN with its value in compose\.yml:1$/, /^make it worthless/],
    ['disk', 'fail', /less than MIN_FREE_DISK \(1,047,552 MB\)/, /^free some/],
    ['receivers', 'fail', /^none runs on this store/, /^start it/],
    ['deliveries', 'warn', /^1 delivery used up all attempts$/, /"dead list"/],
    ['quarantine', 'warn', /^1 body could not be read$/, /"quarantine list"/],
    ['events', 'warn', /^nothing has come for 10 days$/, /"webhooks test"/],
    ['public url', 'fail', /this store has no entry of it within 8 s: it is another installation$/, /^set PUBLIC_URL/],
    [
      'api keys',
      'fail',
      /^the key in INSTANTLY_API_KEY may do everything/,
      /^make one at Instantly .* and nothing else/,
    ],
    ['api keys', 'warn', /both reads and writes; two are better$/, /^set INSTANTLY_READ_KEY to a key with /],
    ['clock', 'fail', /^this machine's clock is (599|600|601) s behind .*TOLERANCE_SECONDS \(300\)/, /NTP/],
    ['registration', 'fail', /"old"\) is disabled since 20.*: no event comes$/, /"webhooks resume"/],
    ['registration', 'fail', /"old"\) carries no token/, /"webhooks register .*--name old"/],
    ['registration', 'fail', /"new"\) carries a token that is not let in: each/, /"webhooks register .*--name new"/],
    ['registration', 'warn', /are both told of some events/, /"webhooks delete"/],
    ['rotation', 'warn', /^one has been under way since 20.* for 1 day: it has stopped half way/, /"secrets rotate"/],
  ])('%s: %s %s', (check, status, what, fix) => {
    const line = linesOf(found, check).find((one) => one.status === status && what.test(one.found));
    expect({ line, all: linesOf(found, check) }).toMatchObject({ line: { fix: expect.stringMatching(fix) } });
  });

  test('a changed entry shows in the checklist', async () => {
    const db = new DatabaseSync(join(broken.folder, 'data/receiver.db'));
    db.exec(
      "UPDATE audit_entries SET action = 'nothing.happened' WHERE rowid = (SELECT min(rowid) FROM audit_entries)",
    );
    db.close();
    const { code, stdout } = await runCommand(broken.folder, ['doctor', '--checklist'], { env: broken.env });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^\[ \] The audit log is sealed .*\n {4}audit entries: /m);
    for (const secret of broken.secrets) expect(stdout).not.toContain(secret);
  }, 60_000);

  test('exits with 1, says nothing secret, and what is well is still told', async () => {
    expect(found.code).toBe(1);
    expect(saidOf(found, 'store')[0]).toMatch(/^ok /);
    expect(saidOf(found, 'instantly')[0]).toMatch(/^ok /);
    const { code, stdout, stderr } = await runCommand(broken.folder, ['doctor'], { env: broken.env });
    expect(code).toBe(1);
    const said = JSON.stringify(found.lines) + stdout + stderr;
    for (const secret of [...broken.secrets, 'changeme-']) expect(said).not.toContain(secret);
  }, 60_000);
});
