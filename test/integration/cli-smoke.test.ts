import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { type Ran, runCommand, runJson } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

// One of each command on a receiver that serves; their own files, in `npm run test:all`, try the rest.

const folder = makeFolder();
let receiver: ReceiverProcess;
let fake: FakeInstantly;
let env: NodeJS.ProcessEnv;
let eventId = '';

beforeAll(async () => {
  receiver = await spawnReceiverIn(folder, {});
  fake = await startFakeInstantly();
  env = {
    PORT: String(receiver.port),
    PUBLIC_URL: receiver.url,
    INSTANTLY_API_URL: fake.url,
    INSTANTLY_API_KEY: fake.keys.all,
  };
  await runJson(folder, ['send'], { env });
  const events = await runJson<{ id: string; type: string }[]>(folder, ['events', 'list'], { env });
  eventId = events.find(({ type }) => type === 'reply_received')?.id ?? '';
});

afterAll(async () => {
  await receiver.stop();
  await fake.close();
  rmSync(folder, { recursive: true, force: true });
});

const ROWS: readonly (readonly [words: string, code: number, said: RegExp])[] = [
  ['events list --type reply_received', 0, /reply_received/],
  ['events show ID', 0, /lead +\S+@/],
  ['events replay ID', 0, /0 deliveries|nothing|without a handler|\d+ deliver/i],
  ['dead list', 0, /./],
  ['quarantine list', 0, /./],
  ['audit tail --limit 3', 0, /webhook\.receive|event\./],
  ['audit verify', 0, /hold|verifies/],
  ['audit export', 0, /"action":"webhook.receive"/],
  ['backup data/copy.db', 0, /copy\.db/],
  ['secrets new --kind token', 0, /^INSTANTLY_WEBHOOK_TOKEN=\S{43}\n/],
  ['secrets scan', 0, /./],
  ['webhooks list', 0, /./],
  ['reconcile --dry-run', 0, /./],
  ['doctor', 0, /store +/],
  ['store copy', 2, /--to/],
  ['events show no-such-id', 1, /^error: /],
  ['events lust', 2, /unknown command/],
];

test.each(ROWS)('%s ends with %i', async (words, code, said) => {
  const ran: Ran = await runCommand(folder, words.replace('ID', eventId).split(' '), { env });
  expect([ran.code, `${ran.stdout}${ran.stderr}`]).toEqual([code, expect.stringMatching(said)]);
});

test('the copy holds what the store does', async () => {
  const copied = { DATABASE_URL: `sqlite:${join(folder, 'data/copy.db')}` };
  expect(await runJson<unknown[]>(folder, ['events', 'list'], { env: { ...env, ...copied } })).toHaveLength(20);
});
