import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { startNotice } from '../../src/print-notice.ts';
import { postgresUrl } from '../support/postgres-url.ts';
import { KEY, load, makeFolder, TOKEN } from './config-support.ts';

const POSTGRES = {
  DATABASE_URL: postgresUrl('user:hidden@db.example/events?sslmode=verify-full'),
  INSTANTLY_WEBHOOK_TOKEN: TOKEN,
  AUDIT_KEY: KEY,
};

const linesOf = (env: NodeJS.ProcessEnv, cwd: string, handlers: readonly string[] = ['tell-sales']): string[] =>
  startNotice(load(env, cwd), 3000, handlers).split('\n');

test('with SQLite the file is named, and no spill and no role', () => {
  const cwd = makeFolder();
  const lines = linesOf({ INSTANTLY_WEBHOOK_TOKEN: TOKEN, AUDIT_KEY: KEY }, cwd);
  expect(lines.slice(0, 5)).toEqual([
    'Receiving Instantly webhooks at http://localhost:3000/webhooks/instantly',
    '  proven by  the shared token in x-webhook-secret',
    `  data       ${join(cwd, 'data/receiver.db')}`,
    '  handlers   tell-sales',
    '  metrics    http://localhost:3000/metrics',
  ]);
  expect(lines.slice(5, 7)).toEqual(['', `Try it, from ${process.cwd()}:`]);
});

describe('with PostgreSQL', () => {
  test('the database is named without its password, and the spill with its limit', () => {
    const cwd = makeFolder();
    const lines = linesOf({ ...POSTGRES, SPILL_LIMIT: '512mb' }, cwd);
    expect(lines.slice(2, 5)).toEqual([
      '  data       postgres://db.example:5432/events',
      `  spill      ${join(cwd, 'data/spill.db')}, up to 512mb while PostgreSQL is away`,
      '  handlers   tell-sales',
    ]);
    expect(lines.join('\n')).not.toContain('role');
    expect(lines.join('\n')).not.toMatch(/hidden|user/);
  });

  test('a receiver says its role, where to post, and no handlers', () => {
    const cwd = makeFolder();
    expect(linesOf({ ...POSTGRES, ROLE: 'receiver' }, cwd)).toEqual([
      'Receiving Instantly webhooks at http://localhost:3000/webhooks/instantly',
      '  role       receiver: workers run the handlers',
      '  proven by  the shared token in x-webhook-secret',
      '  data       postgres://db.example:5432/events',
      `  spill      ${join(cwd, 'data/spill.db')}, up to 1gb while PostgreSQL is away`,
      '  metrics    http://localhost:3000/metrics',
      '',
      `Try it, from ${process.cwd()}:`,
      expect.stringMatching(/ send reply_received --url http:\/\/localhost:3000\/webhooks\/instantly$/),
      '',
      '',
    ]);
  });

  test('a worker says its role and its handlers, and nothing of webhooks to send', () => {
    const cwd = makeFolder();
    expect(linesOf({ ...POSTGRES, ROLE: 'worker' }, cwd, [])).toEqual([
      'Running the handlers of stored events; no webhook is taken here',
      '  role       worker: receivers take the webhooks',
      '  health     http://localhost:3000/readyz',
      '  data       postgres://db.example:5432/events',
      `  spill      ${join(cwd, 'data/spill.db')}, up to 1gb while PostgreSQL is away`,
      `  handlers   none in ${join(cwd, 'handlers')}`,
      '  metrics    http://localhost:3000/metrics',
      '',
      '',
    ]);
  });
});

test.each([
  ['192.168.7.9', 'http://192.168.7.9:3000/'],
  ['::1', 'http://[::1]:3000/'],
  ['::', 'http://localhost:3000/'],
])('with HOST=%s the address is one that answers', (host, base) => {
  const [first] = linesOf({ INSTANTLY_WEBHOOK_TOKEN: TOKEN, AUDIT_KEY: KEY, HOST: host }, makeFolder());
  expect(first).toContain(`at ${base}`);
});
