import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runCommand, runJson } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiver } from '../support/spawn-receiver.ts';

let receiver: ReceiverProcess;

interface Item {
  readonly id: string;
  readonly state: string;
  readonly eventId: string | null;
}

interface Entry {
  readonly action: string;
  readonly result: string;
  readonly userId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const run = (...words: string[]) => runCommand(receiver.folder, ['quarantine', ...words]);
const json = <T>(...words: string[]) => runJson<T>(receiver.folder, ['quarantine', ...words]);

/** Sends a body that cannot be read, and gives the id under which it is kept. */
async function hold(body: string | Uint8Array): Promise<string> {
  const token = readFileSync(join(receiver.folder, 'data/webhook-token'), 'utf8').trimEnd();
  const response = await fetch(`${receiver.url}/webhooks/instantly`, {
    method: 'POST',
    headers: { 'x-webhook-secret': token, 'content-type': 'text/plain' },
    body,
  });
  expect(response.status).toBe(400);
  const [newest] = await json<Item[]>('list', '--limit', '1');
  return newest?.id ?? '';
}

async function lastEntry(): Promise<Entry | undefined> {
  return (await runJson<Entry[]>(receiver.folder, ['audit', 'tail', '--limit', '1']))[0];
}

beforeAll(async () => {
  receiver = await spawnReceiver({});
});

afterAll(() => receiver.stop());

test('list and show', async () => {
  expect(await run('list')).toEqual({ code: 0, stdout: '', stderr: 'Nothing is in quarantine.\n' });
  const body = '{"event_type": "reply_received",, "lead_email": "kept@one.example" \u001b[2J}';
  const first = await hold(body);
  await hold(body);
  const second = await hold('[1, 2]');
  const items = await json<Item[]>('list');
  expect(items.map(({ id }) => id)).toEqual([second, first]);
  expect(items[1]).toEqual({
    id: first,
    receivedAt: expect.stringMatching(/Z$/),
    lastReceivedAt: expect.stringMatching(/Z$/),
    times: 2,
    reason: 'not-json',
    principal: 'instantly:token:1',
    contentType: 'text/plain',
    bodySha256: createHash('sha256').update(body).digest('hex'),
    bytes: Buffer.byteLength(body),
    state: 'held',
    eventId: null,
  });
  expect(items[0]).toMatchObject({ reason: 'not-an-object', times: 1 });
  expect((await run('list')).stdout).toMatch(
    new RegExp(`│ +2 │ not-json +│ text/plain +│ +${body.length} │ held +│ ${first} │`),
  );

  expect((await run('show', first, '--raw')).stdout).toBe(body);
  expect(await json('show', first)).toEqual({ ...items[1], encoding: 'utf8', body });
  const { stdout } = await run('show', first);
  expect(stdout).toContain('"lead_email": "kept@one.example" \\u001b[2J}');
  expect(await lastEntry()).toMatchObject({
    action: 'quarantine.show',
    userId: 'operator:tester',
    metadata: { quarantineId: first },
  });
  expect(await run('show', 'none')).toMatchObject({
    code: 1,
    stderr: 'error: nothing in quarantine has the id none\n',
  });
});

test('bytes that are no text come back as they are', async () => {
  const body = new Uint8Array([0x7b, 0xff, 0xfe, 0x00, 0x7d]);
  const id = await hold(body);
  expect(await json('show', id)).toMatchObject({ encoding: 'base64', body: Buffer.from(body).toString('base64') });
});

test('retry accepts what was mended, once', async () => {
  const id = await hold('{"event_type": "reply_received", "lead_email": " Mended@One.Example " ');
  const still = await run('retry', id);
  expect([still.code, still.stdout]).toEqual([1, '']);
  expect(still.stderr).toBe('error: it still cannot be read (not-json); see --help for how to mend it\n');
  expect(await lastEntry()).toMatchObject({
    action: 'quarantine.retry',
    result: 'failure',
    metadata: { quarantineId: id, mended: false, reason: 'not-json' },
  });

  const mended = '{"event_type": "reply_received", "lead_email": " Mended@One.Example " }';
  writeFileSync(join(receiver.folder, 'mended.json'), mended);
  const result = await json<{ status: string; id: string }>('retry', id, '--file', 'mended.json');
  expect(result).toEqual({ quarantineId: id, status: 'accepted', id: expect.any(String) });
  const entry = await lastEntry();
  expect(entry).toMatchObject({ action: 'quarantine.retry', result: 'success', userId: 'operator:tester' });
  expect(entry?.metadata).toEqual({
    quarantineId: id,
    mended: true,
    bytes: mended.length,
    bodySha256: createHash('sha256').update(mended).digest('hex'),
    eventType: 'reply_received',
    eventId: result.id,
    reason: 'accepted',
    durationMs: expect.any(Number),
  });

  const [event] = await runJson<Record<string, unknown>[]>(receiver.folder, ['events', 'list', '--limit', '1']);
  expect(event).toMatchObject({
    id: result.id,
    source: 'quarantine',
    principal: 'instantly:token:1',
    lead: 'mended@one.example',
  });
  expect((await runCommand(receiver.folder, ['events', 'show', result.id, '--raw'])).stdout).toBe(mended);
  expect(await json('list', '--state', 'retried')).toMatchObject([{ id, state: 'retried', eventId: result.id }]);
  expect((await json<Item[]>('list', '--state', 'held')).map((item) => item.id)).not.toContain(id);

  expect(await run('retry', id, '--file', 'mended.json')).toEqual({
    code: 1,
    stdout: '',
    stderr: `error: it was retried before and is event ${result.id}; --again makes another event of the same bytes\n`,
  });
});

test('retry of what was accepted meanwhile finds the event it is', async () => {
  const mended =
    '{"event_type":"email_opened","timestamp":"2026-11-18T08:12:44.000Z","lead_email":"twice@one.example"}';
  const first = await hold(`${mended}#1`);
  const second = await hold(`${mended}#2`);
  const options = { input: mended };
  const accepted = await runCommand(receiver.folder, ['quarantine', 'retry', first, '--file', '-'], options);
  const id = /^Accepted as event (\S+)\.\n$/.exec(accepted.stdout)?.[1];
  const again = await runCommand(receiver.folder, ['quarantine', 'retry', second, '--file', '-'], options);
  expect([again.code, again.stdout]).toEqual([0, `The same content was accepted before, as event ${id}.\n`]);
});

test('retry takes no body that the receiver would not take, and no file that is not there', async () => {
  const id = await hold('{');
  const env = { BODY_LIMIT: '1kb' };
  const input = `{"a":"${'x'.repeat(2_000)}"}`;
  const large = await runCommand(receiver.folder, ['quarantine', 'retry', id, '--file', '-'], { env, input });
  expect([large.code, large.stderr]).toEqual([1, expect.stringMatching(/^error: - holds more than the \d+ bytes/)]);
  expect(await run('retry', id, '--file', 'gone.json')).toMatchObject({
    code: 1,
    stderr: 'error: gone.json cannot be read (ENOENT)\n',
  });
  expect(await run('retry', 'none')).toMatchObject({
    code: 1,
    stderr: 'error: nothing in quarantine has the id none\n',
  });
});
