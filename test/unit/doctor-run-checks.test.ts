import { rmSync } from 'node:fs';
import { afterAll, expect, test } from '@jest/globals';
import { type Check, type Finding, fail, ok, Skipped } from '../../src/cli/doctor/check.ts';
import type { Context } from '../../src/cli/doctor/context.ts';
import { runChecks } from '../../src/cli/doctor/run-checks.ts';
import { failedCall, splitFault } from '../../src/cli/doctor/split-fault.ts';
import { judgeVersion } from '../../src/cli/doctor/store.ts';
import { findTwice } from '../../src/cli/doctor/subscribed-twice.ts';
import { examineSettings } from '../../src/config/examine-settings.ts';
import { type ApiFailure, InstantlyApiError } from '../../src/instantly/api-error.ts';
import type { Webhook } from '../../src/instantly/schemas.ts';
import { makeToken } from '../support/made-secrets.ts';
import { makeFolder } from '../support/start-receiver.ts';

const cwd = makeFolder();
const token = makeToken();
const never = new AbortController().signal;

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function contextOf(env: NodeJS.ProcessEnv = {}): Context {
  const skipped = new Skipped('there is nothing to look at', 'make something');
  return {
    cwd,
    examined: examineSettings({ INSTANTLY_WEBHOOK_TOKEN: token, ...env }, cwd),
    opened: { skipped },
    instantly: skipped,
  };
}

function check(name: string, run: Check['run'], needs: Check['needs'] = []): Check {
  return { name, needs, run };
}

test('each says its own, in order, and none keeps another from it', async () => {
  const slow = Promise.withResolvers<Finding[]>();
  const lines = runChecks(
    [
      check('slow', () => slow.promise),
      check('thrown', () => {
        throw new Error(`could not ask with ${token}`);
      }),
      check('rejected', async () => Promise.reject('no error at all')),
      check('skipped', () => {
        throw new Skipped('not now', 'later');
      }),
      check('two', () => {
        slow.resolve([ok('at last')]);
        return [ok('one'), fail('other', 'mend')];
      }),
    ],
    contextOf(),
    10_000,
    never,
  );
  expect(await lines).toEqual([
    { check: 'slow', status: 'ok', found: 'at last', fix: null },
    {
      check: 'thrown',
      status: 'fail',
      found: 'it could not be found out: could not ask with [secret]',
      fix: 'mend that, and run it again',
    },
    {
      check: 'rejected',
      status: 'fail',
      found: 'it could not be found out: no error at all',
      fix: 'mend that, and run it again',
    },
    { check: 'skipped', status: 'skip', found: 'not now', fix: 'later' },
    { check: 'two', status: 'ok', found: 'one', fix: null },
    { check: 'two', status: 'fail', found: 'other', fix: 'mend' },
  ]);
});

test('one that hangs is a failure of its own, and is told to end', async () => {
  let told: AbortSignal | undefined;
  const hangs = check('hangs', (_, signal) => {
    told = signal;
    return new Promise(() => undefined);
  });
  const lines = await runChecks([hangs, check('next', () => [ok('done')])], contextOf(), 20, never);
  expect(lines.map(({ status, found }) => `${status} ${found}`)).toEqual([
    'fail it could not be found out: it took longer than 0.02 s',
    'ok done',
  ]);
  expect(told?.aborted).toBe(true);
});

test('one that goes by a setting that is wrong is left out, and others are not', async () => {
  const context = contextOf({ MIN_FREE_DISK: 'much', PUBLIC_URL: 'nowhere' });
  const checks = [
    check('disk', () => [ok('never')], ['MIN_FREE_DISK', 'DATABASE_URL']),
    check('url', () => [ok('never')], ['PUBLIC_URL', 'MIN_FREE_DISK']),
    check('other', () => [ok('done')], ['DATABASE_URL']),
  ];
  expect((await runChecks(checks, context, 1_000, never)).map(({ status, found }) => `${status} ${found}`)).toEqual([
    'skip it goes by MIN_FREE_DISK, which cannot be used',
    'skip it goes by PUBLIC_URL and MIN_FREE_DISK, which cannot be used',
    'ok done',
  ]);
});

test('an interruption ends it', async () => {
  const stop = new AbortController();
  const lines = runChecks([check('hangs', () => new Promise(() => undefined))], contextOf(), 60_000, stop.signal);
  stop.abort(new Error('SIGINT'));
  await expect(lines).rejects.toThrow('SIGINT');
});

test('a fault of the settings and its fix are parted', () => {
  expect(splitFault('A is wrong; set A; or B', 'mend it')).toEqual({ found: 'A is wrong', fix: 'set A; or B' });
  expect(splitFault('A must be a number', 'mend it')).toEqual({ found: 'A must be a number', fix: 'mend it' });
});

const FAILURES: readonly ApiFailure[] = [
  'refused',
  'unauthorized',
  'plan',
  'scope',
  'blocked',
  'not-found',
  'rate-limited',
  'server',
  'timeout',
  'unreachable',
  'unreadable',
];

test.each(FAILURES)('a call that failed (%s) has its fix', (failure) => {
  const error = new InstantlyApiError({
    failure,
    operation: 'webhooks.list',
    setting: 'INSTANTLY_READ_KEY',
    status: 400,
    detail: 'ECONNREFUSED',
  });
  const { status, found, fix } = failedCall(error);
  expect(status).toBe('fail');
  expect(found).not.toContain('webhooks.list');
  expect(`webhooks.list: ${found}${fix?.startsWith('try again, and update') ? '' : `: ${fix}`}`).toBe(error.message);
});

function webhook(id: string, more: Partial<Webhook> = {}): Webhook {
  return { id, target_hook_url: 'https://hooks.example', ...more };
}

test.each<[string, Partial<Webhook>, Partial<Webhook>, boolean]>([
  ['all and one', { event_type: 'all_events' }, { event_type: 'email_sent' }, true],
  ['all and a label', { event_type: 'all_events' }, { custom_interest_value: 3 }, true],
  ['one twice', { event_type: 'email_sent' }, { event_type: 'email_sent', campaign: null }, true],
  ['two', { event_type: 'email_sent' }, { event_type: 'email_opened' }, false],
  ['a label twice', { custom_interest_value: 3 }, { event_type: null, custom_interest_value: 3 }, true],
  ['two labels', { custom_interest_value: 3 }, { custom_interest_value: 4 }, false],
  ['one and a label', { event_type: 'email_sent' }, { custom_interest_value: 3 }, false],
  ['of one campaign', { event_type: 'email_sent', campaign: 'a' }, { event_type: 'email_sent', campaign: 'a' }, true],
  ['of two', { event_type: 'email_sent', campaign: 'a' }, { event_type: 'email_sent', campaign: 'b' }, false],
  ['of one and all', { event_type: 'email_sent', campaign: 'a' }, { event_type: 'all_events' }, true],
])('subscribed twice: %s', (_, one, other, expected) => {
  const pair = [webhook('one', one), webhook('other', other)];
  expect(findTwice(pair)).toEqual(expected ? [pair] : []);
  expect(findTwice(pair.toReversed())).toEqual(expected ? [pair.toReversed()] : []);
});

test.each([
  [90_600, 'fail'],
  [140_012, 'fail'],
  [150_000, 'ok'],
  [180_004, 'ok'],
  [190_000, 'warn'],
])('PostgreSQL by its number %s: %s', (number, status) => {
  expect(judgeVersion(number).status).toBe(status);
});
