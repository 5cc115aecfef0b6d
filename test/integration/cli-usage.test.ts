import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeAccept, makeBatch, makeQuarantine } from '../contract/make-parts.ts';
import { handlerOf, openStore } from '../support/make-store.ts';
import { runCommand, runCommands, runJson, spawnCommand } from '../support/run-command.ts';
import { makeFolder } from '../support/start-receiver.ts';

const COMMANDS = [
  ['send'],
  ['events', 'list'],
  ['events', 'show'],
  ['events', 'replay'],
  ['dead', 'list'],
  ['dead', 'replay'],
  ['quarantine', 'list'],
  ['quarantine', 'show'],
  ['quarantine', 'retry'],
  ['audit', 'tail'],
  ['audit', 'verify'],
  ['audit', 'export'],
  ['audit', 'correlate'],
  ['doctor'],
  ['backup'],
  ['store', 'copy'],
  ['store', 'drain'],
  ['secrets', 'new'],
  ['secrets', 'scan'],
];

/** Each in a form that would do something where there is a store. */
const ON_A_STORE = [
  ['events', 'list'],
  ['events', 'show', 'some-id'],
  ['events', 'replay', '--all'],
  ['dead', 'list'],
  ['dead', 'replay', '--all'],
  ['quarantine', 'list'],
  ['quarantine', 'show', 'some-id'],
  ['quarantine', 'retry', 'some-id'],
  ['audit', 'tail'],
  ['audit', 'verify'],
  ['audit', 'export'],
  ['backup', 'copy.db'],
];

/** Those that write an entry. */
const AUDITED = ON_A_STORE.filter(
  ([name, verb]) => !['tail', 'verify'].includes(verb ?? '') && !(verb === 'list' && name !== 'events'),
);

const ANOTHER_KEY = { AUDIT_KEY: 'another-audit-key' };

const empty = makeFolder();
const folder = makeFolder();
let eventId = '';
let quarantineId = '';

beforeAll(async () => {
  const store = await openStore(folder);
  try {
    await store.registerHandlers([handlerOf('crm')]);
    const audits = Array.from({ length: 500 }, () => makeAccept().audit.draft);
    const accepts = [
      makeAccept({ content: '{"event_type":"reply_received"}' }),
      makeAccept({ type: 'Hot Lead', content: '{"event_type":"Hot Lead"}' }),
    ];
    const result = await store.commit(makeBatch({ accepts, audits, quarantines: [makeQuarantine('{"broken"')] }));
    [eventId, quarantineId] = [result.accepted[0]?.id ?? '', result.quarantined[0] ?? ''];
  } finally {
    await store.close();
  }
});

function asJson(words: readonly string[]): string[] {
  return [...words.map((word) => (word === 'copy.db' ? 'copy-json.db' : word)), '--json'];
}

afterAll(() => {
  for (const path of [empty, folder]) rmSync(path, { recursive: true, force: true });
});

describe('help', () => {
  test.each(COMMANDS)('%s %s', async (...words) => {
    const { code, stdout, stderr } = await runCommand(empty, [...words, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`Usage: instantly-receiver ${words.join(' ')} `);
    expect(stdout).toContain('--json');
    if (words.includes('list') || words.includes('tail')) expect(stdout).toMatch(/--limit <n> .*\(default: 50\)/);
  });

  test('names every command, and the version is that of the package', async () => {
    const { code, stdout } = await runCommand(empty, ['--help']);
    expect(code).toBe(0);
    for (const name of ['serve', ...new Set(COMMANDS.map(([first]) => first))]) expect(stdout).toMatch(`\n  ${name} `);
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect((await runCommand(empty, ['--version'])).stdout).toBe(`${version}\n`);
  });
});

describe('wrong usage ends with 2 and points to --help', () => {
  test.each([
    [[]],
    [['nonsense']],
    [['events']],
    [['events', 'list', '--nonsense']],
    [['events', 'list', 'too-much']],
    [['events', 'list', '--limit', '0']],
    [['events', 'list', '--since', 'yesterday']],
    [['events', 'list', '--state', 'asleep']],
    [['events', 'show']],
    [['events', 'show', 'id', '--raw', '--json']],
    [['events', 'replay']],
    [['events', 'replay', '--handler', 'crm']],
    [['events', 'replay', 'some-id', '--type', 'email_sent']],
    [['events', 'replay', '--all', '--lead', 'a@b.example']],
    [['dead', 'replay']],
    [['dead', 'replay', 'some-id', '--all']],
    [['audit', 'tail', '--limit', 'all']],
    [['audit', 'export', '--since', '']],
    [['send', 'email_replied']],
    [['send', 'email_sent', '--all']],
    [['send', '--file', 'body.json', '--count', '2']],
    [['send', '--count', '0']],
    [['send', '--rate', '0']],
  ])('%j', async (words) => {
    const { code, stdout, stderr } = await runCommand(folder, words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--help');
  });

  test.each(['ftp://example.com/', 'no-address', 'http://user:open-sesame@localhost/'])(
    'send --url %s, without repeating what may be a password',
    async (url) => {
      const { code, stdout, stderr } = await runCommand(folder, ['send', '--url', url]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^error: --url takes /);
      expect(stderr).not.toContain(url);
    },
  );
});

test('a name that is none ends with 2 and says what was likely meant, before anything is done', async () => {
  const before = await runJson(folder, ['audit', 'verify']);
  const cases: readonly (readonly [string, string])[] = [
    ['events list --type reply_recieved', 'reply_received'],
    ['events list --type email_replied', 'reply_received'],
    ['events list --type email_send --json', 'email_sent'],
    ['events list --state deed', 'dead'],
    ['events replay --type reply_recieved', 'reply_received'],
    ['events replay --type reply_recieved --dry-run', 'reply_received'],
    ['events replay --all --handler cmr', 'crm'],
    ['dead list --handler cmr', 'crm'],
    ['dead replay --handler crm2', 'crm'],
    ['quarantine list --state retired', 'retried'],
    ['audit export --action webhook.recieve', 'webhook.receive'],
    ['audit export --action webhook.recieve --output none.jsonl', 'webhook.receive'],
    ['send reply_recieved', 'reply_received'],
    ['send custom-lable', 'custom_label'],
    ['webhooks register --event link_click', 'email_link_clicked'],
    ['webhooks register --event auto_reply_received', 'all_events'],
    ['secrets new --kind tokn', 'token'],
  ];
  const ran = await runCommands(
    folder,
    cases.map(([words]) => words.split(' ')),
  );
  expect(ran.map(({ code, stdout }, at) => [cases[at]?.[0], code, stdout])).toEqual(
    cases.map(([words]) => [words, 2, '']),
  );
  for (const [at, { stderr }] of ran.entries()) {
    expect(stderr).toContain(`did you mean ${cases[at]?.[1]}?`);
    expect(stderr).toContain('--help');
  }
  expect(existsSync(join(folder, 'none.jsonl'))).toBe(false);
  expect(await runJson(folder, ['audit', 'verify'])).toEqual(before);
});

test('another case, other separators and stored labels are known', async () => {
  const [spelt, state, label, action] = await runCommands(folder, [
    ['events', 'list', '--type', 'Reply-Received', '--json'],
    ['events', 'list', '--state', 'DEAD', '--json'],
    ['events', 'list', '--type', 'hot lead', '--json'],
    ['audit', 'export', '--action', 'Store.Backup', '--json'],
  ]);
  expect(JSON.parse(spelt?.stdout ?? '')).toMatchObject([{ id: eventId }]);
  expect(JSON.parse(label?.stdout ?? '')).toMatchObject([{ type: 'Hot Lead' }]);
  expect([state?.code, JSON.parse(state?.stdout ?? '')]).toEqual([0, []]);
  expect([action?.code, JSON.parse(action?.stdout ?? '')]).toEqual([0, []]);
});

describe('what stands in the way', () => {
  test.each([
    ['events', 'list'],
    ['audit', 'verify'],
    ['send', 'email_sent'],
  ])('%s %s: bad settings end with 78, all faults named', async (...words) => {
    const { code, stdout, stderr } = await runCommand(folder, words, { env: { PORT: 'high', BODY_LIMIT: 'much' } });
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^PORT .*\nBODY_LIMIT .*\n$/);
  });

  test('no store ends with 1 and says where one was looked for', async () => {
    const ran = await runCommands(empty, ON_A_STORE);
    for (const { code, stdout, stderr } of ran) {
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toBe(
        `error: there is no store at ${join(empty, 'data/receiver.db')} yet; start the receiver once from this folder, or set DATABASE_URL to where its file lies\n`,
      );
    }
  });

  test('send: no secret ends with 78', async () => {
    const { code, stdout, stderr } = await runCommand(empty, ['send']);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^No secret is set and none is kept in .*\n$/);
  });

  test('another audit key ends what is audited with 78 and writes nothing', async () => {
    const before = await runJson(folder, ['audit', 'verify']);
    const ran = await runCommands(folder, AUDITED, { env: ANOTHER_KEY });
    for (const { code, stdout, stderr } of ran) {
      expect([code, stdout]).toEqual([78, '']);
      // On a busy machine a line of progress comes first.
      expect(stderr).toMatch(/(?:^|\n)AUDIT_KEY is not the key with which the audit log in .* is written; .*\n$/);
    }
    expect(await runJson(folder, ['audit', 'verify'])).toEqual(before);
  });

  test('what writes nothing needs no audit key', async () => {
    const forms = [
      ['dead', 'list'],
      ['quarantine', 'list'],
      ['audit', 'tail'],
    ];
    const ran = await runCommands(folder, forms, { env: ANOTHER_KEY });
    expect(ran.map(({ code }) => code)).toEqual([0, 0, 0]);
  });

  test('a file that is no store ends with 78', async () => {
    const file = join(empty, 'text.db');
    writeFileSync(file, 'This is no database, and long enough for SQLite to tell.\n'.repeat(100));
    const { code, stderr } = await runCommand(empty, ['dead', 'list'], { env: { DATABASE_URL: `sqlite:${file}` } });
    expect([code, stderr]).toEqual([
      78,
      expect.stringMatching(/^DATABASE_URL names a file that is no SQLite database/),
    ]);
    expect(stderr).not.toMatch(/\n +at /);
  });
});

describe('output', () => {
  test('a reader that has seen enough ends the command quietly', async () => {
    const child = spawnCommand(folder, ['audit', 'export']);
    child.stderr.setEncoding('utf8');
    let stderr = '';
    child.stderr.on('data', (text: string) => {
      stderr += text;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([0, '']);
  });

  test('a failure stays one where the reader has gone', async () => {
    const child = spawnCommand(folder, ['audit', 'verify'], { env: ANOTHER_KEY });
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
  });

  test('holds no secret, no colour where nobody watches, and one JSON document where it was asked for', async () => {
    const secrets = ['audit-key', 'instantly-secret', 'webhook-token'].map((name) =>
      readFileSync(join(folder, 'data', name), 'utf8').trimEnd(),
    );
    const forms = [
      ...ON_A_STORE.map((words) => words.map((word) => (word === 'some-id' ? eventId : word))),
      ['quarantine', 'show', quarantineId],
      ['send', 'email_sent', '--url', 'http://127.0.0.1:1/'],
      ['send', '--count', '2', '--url', 'http://127.0.0.1:1/'],
    ];
    const plain = await runCommands(folder, forms, { env: { TERM: 'xterm-256color' } });
    const json = await runCommands(folder, forms.map(asJson));
    for (const { stdout, stderr } of [...plain, ...json]) {
      for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
      expect(stdout + stderr).not.toContain('\u001b');
    }
    for (const { code, stdout } of json) {
      expect([0, 1]).toContain(code);
      if (stdout !== '') expect(() => JSON.parse(stdout)).not.toThrow();
      else expect(code).toBe(1);
    }
  }, 120_000);
});
