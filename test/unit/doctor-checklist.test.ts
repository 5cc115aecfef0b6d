import { readFileSync, rmSync } from 'node:fs';
import { afterAll, expect, test } from '@jest/globals';
import { type Line, Skipped, type Status } from '../../src/cli/doctor/check.ts';
import { CHECKLIST_CHECKS, fillIn, LISTS, type ListName } from '../../src/cli/doctor/checklist.ts';
import { CHECKS } from '../../src/cli/doctor/checks.ts';
import { runChecks } from '../../src/cli/doctor/run-checks.ts';
import { examineSettings } from '../../src/config/examine-settings.ts';
import { makeToken } from '../support/made-secrets.ts';
import { makeFolder } from '../support/start-receiver.ts';

const cwd = makeFolder();
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const all = [...CHECKS, ...CHECKLIST_CHECKS].map(({ name }) => name);
const linesOf = (status: Status, checks = all): Line[] =>
  checks.map((check) => ({ status, check, found: `${check} was looked at`, fix: null }));

test.each(Object.keys(LISTS) as ListName[])('the %s checklist in docs/ is the one that is printed', (list) => {
  const text = readFileSync(new URL(`../../docs/${list}-checklist.md`, import.meta.url), 'utf8');
  const written = [...text.matchAll(/^- \[ \] (.*): `(.*)`$/gm)].map(([, item, command]) => ({ text: item, command }));
  expect(written).toEqual(LISTS[list].map(({ text: item, command }) => ({ text: item, command })));
});

test('every check of doctor stands for a line of a list, and every line goes by checks that there are', () => {
  const used = new Set(Object.values(LISTS).flatMap((items) => items.flatMap(({ checks }) => [...checks] as string[])));
  expect([...used].toSorted()).toEqual(all.toSorted());
});

test('a line holds where all of its checks are well, and says what was found where one is not', () => {
  expect(new Set(fillIn(linesOf('ok')).map(({ state }) => state))).toEqual(new Set(['holds', 'by-hand']));
  for (const [status, state] of [
    ['fail', 'fails'],
    ['warn', 'fails'],
    ['skip', 'unknown'],
  ] as const) {
    const lines = [...linesOf('ok'), ...linesOf(status, ['spill'])];
    const open = fillIn(lines).filter((item) => !['holds', 'by-hand'].includes(item.state));
    expect(open).toMatchObject([{ list: 'production', state, lines: [{ check: 'spill', status }] }]);
  }
});

test.each([
  [{}, ['warn development', 'ok this machine alone']],
  [{ NODE_ENV: 'production', METRICS_ALLOW: 'private' }, ['ok production', 'warn private without a token']],
  [{ METRICS_ALLOW: 'all', METRICS_TOKEN: makeToken() }, ['warn development', 'ok METRICS_TOKEN is set']],
  [{ METRICS_ALLOW: 'everybody' }, ['warn development', expect.stringMatching(/^skip it goes by METRICS_ALLOW/)]],
])('what the lists ask beside doctor: %j', async (env, expected) => {
  const skipped = new Skipped('there is no store', 'start the receiver once');
  const examined = examineSettings({ INSTANTLY_WEBHOOK_TOKEN: makeToken(), ...env }, cwd);
  const context = { cwd, examined, opened: { skipped }, instantly: skipped };
  const lines = await runChecks(CHECKLIST_CHECKS, context, 5_000, new AbortController().signal);
  expect(lines.map(({ status, found }) => `${status} ${found}`)).toEqual([...expected, 'skip there is no store']);
});
