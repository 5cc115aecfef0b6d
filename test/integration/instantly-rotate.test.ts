import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { SAMPLES } from '../../src/events/samples.ts';
import { type InstantlyRig, startRig, WEBHOOK_URL } from '../support/instantly-rig.ts';
import { runCommand } from '../support/run-command.ts';

let rig: InstantlyRig;

interface Entry {
  readonly action: string;
  readonly result: string;
  readonly userId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

afterEach(() => rig.stop());

/** Emits events at a rate, until it is told to end; then gives how many it emitted. */
function emitAt(perSecond: number): () => Promise<number> {
  const emitted: Promise<unknown>[] = [];
  const timer = setInterval(() => emitted.push(rig.fake.emit('email_sent')), 1_000 / perSecond);
  return async () => {
    clearInterval(timer);
    await Promise.all(emitted);
    return emitted.length;
  };
}

test('register, deliver every type, rotate with deliveries running: nothing is refused', async () => {
  rig = await startRig();
  const registered = await rig.json<Record<string, unknown>>('webhooks', 'register');
  expect(registered).toMatchObject({ done: 'created', url: WEBHOOK_URL, eventType: 'all_events' });
  const [webhook, ...others] = rig.fake.webhooks();
  expect(others).toEqual([]);
  expect(webhook?.headers).toEqual({ 'x-webhook-secret': rig.token });

  for (const type of Object.keys(SAMPLES)) await rig.fake.emit(type);
  const events = await rig.json<{ type: string; principal: string }[]>('events', 'list');
  // And the test's.
  expect(events).toHaveLength(Object.keys(SAMPLES).length + 1);
  expect(new Set(events.map(({ principal }) => principal))).toEqual(new Set(['instantly:token:1']));

  const end = emitAt(50);
  const rotated = await rig.json<{ tokenId: string; replaced: string[]; letInUntil: string }>('secrets', 'rotate');
  const emitted = await end();
  expect(emitted).toBeGreaterThan(50);
  expect(rig.fake.log().filter(({ success }) => !success)).toEqual([]);
  expect(rotated.replaced).toHaveLength(1);
  expect(Date.parse(rotated.letInUntil) - Date.now()).toBeGreaterThan(23 * 3_600_000);
  expect(rig.fake.webhooks()[0]?.headers).not.toEqual({ 'x-webhook-secret': rig.token });

  const entries = await rig.json<Entry[]>('audit', 'tail', '--limit', '100000');
  const received = entries.filter(({ action }) => action === 'webhook.receive');
  expect(received.filter(({ result }) => result === 'failure')).toEqual([]);
  expect(received).toHaveLength(rig.fake.log().length + 2);
  expect(received.at(-1)?.metadata['tokenId']).toBe(rotated.tokenId);
  const steps = entries.filter(({ action }) => action === 'secret.rotate').map(({ metadata }) => metadata['step']);
  expect(steps).toEqual(['make', 'await-receivers', 'patch', 'test', 'replace']);
  expect(await rig.run('audit', 'verify')).toMatchObject({ code: 0 });
});

test('what was replaced lets nobody in once its time is over, and a new start knows it', async () => {
  rig = await startRig();
  await rig.json('webhooks', 'register');
  const { tokenId } = await rig.json<{ tokenId: string }>('secrets', 'rotate', '--keep-hours', '0');
  const ask = (token: string) =>
    fetch(`${rig.receiver.url}/webhooks/instantly`, {
      method: 'POST',
      headers: { 'x-webhook-secret': token },
      body: JSON.stringify({ event_type: 'email_sent', at: Math.random() }),
    }).then(({ status }) => status);
  const until = async (token: string, status: number): Promise<void> => {
    while ((await ask(token)) !== status);
  };
  await until(rig.token, 401);
  const fresh = rig.fake.webhooks()[0]?.headers?.['x-webhook-secret'];
  expect(await ask(String(fresh))).toBe(200);
  await rig.receiver.stop();
  await rig.restart();
  expect(await ask(rig.token)).toBe(401);
  expect(await ask(String(fresh))).toBe(200);
  expect(await rig.json('webhooks', 'list')).toMatchObject([{ token: 'right', tokenId }]);
  const metrics = await fetch(`${rig.receiver.url}/metrics`).then((response) => response.text());
  expect(metrics).toContain(`instantly_secret_age_seconds{secret="rotated-token:${tokenId}"}`);
  const entries = await rig.json<Entry[]>('audit', 'tail', '--limit', '1000');
  expect(entries.filter(({ action }) => action === 'secret.retire')).toHaveLength(1);
  // A registration afterwards keeps what Instantly carries.
  expect(await rig.json('webhooks', 'register')).toMatchObject({ done: 'unchanged', tokenId });
  expect(rig.fake.webhooks()).toMatchObject([{ headers: { 'x-webhook-secret': fresh } }]);
});

test('one that fails half way refuses nothing and is taken up', async () => {
  rig = await startRig();
  await rig.json('webhooks', 'register');
  // The patch takes effect, and its answer never comes: all attempts of it.
  rig.fake.fail('PATCH /webhooks/{id}', { afterwards: 500 }, 5);
  const failed = await rig.run('secrets', 'rotate');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain(
    'webhooks.update: Instantly could not answer (status 500): try again in a few minutes',
  );
  const carried = rig.fake.webhooks()[0]?.headers?.['x-webhook-secret'];
  expect(carried).not.toBe(rig.token);
  await rig.fake.emit('email_sent');
  expect(rig.fake.log().at(-1)).toMatchObject({ success: true });
  const taken = await rig.run('secrets', 'rotate');
  expect(taken).toMatchObject({ code: 0, stderr: expect.stringContaining('an earlier rotation is taken up') });
  expect(rig.fake.webhooks()[0]?.headers?.['x-webhook-secret']).toBe(carried);
  expect(rig.fake.log().filter(({ success }) => !success)).toEqual([]);
});

test('a webhook made by hand with a query is ours, one that posts elsewhere with our token holds the rotation up', async () => {
  rig = await startRig({
    fake: {
      webhooks: [
        {
          target_hook_url: `${WEBHOOK_URL}?by=hand`,
          name: 'by hand',
          event_type: 'all_events',
          headers: { 'x-webhook-secret': 'token-of-the-settings-0001' },
        },
      ],
    },
  });
  await rig.json('secrets', 'rotate', '--keep-hours', '0');
  const carried = rig.fake.webhooks()[0]?.headers?.['x-webhook-secret'];
  expect(carried).not.toBe(rig.token);
  await rig.fake.emit('email_sent');
  expect(rig.fake.log().filter(({ success }) => !success)).toEqual([]);
  await fetch(`${rig.fake.url}/api/v2/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rig.fake.keys.all}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      target_hook_url: 'https://other-name.example.com/webhooks/instantly',
      event_type: 'all_events',
      headers: { 'x-webhook-secret': carried },
    }),
  });
  const held = await rig.run('secrets', 'rotate');
  expect(held).toMatchObject({ code: 1, stderr: expect.stringContaining('posts to another address than PUBLIC_URL') });
  expect(rig.fake.webhooks()[0]?.headers?.['x-webhook-secret']).toBe(carried);
});

const statusOf = (token: string): Promise<number> =>
  fetch(`${rig.receiver.url}/webhooks/instantly`, {
    method: 'POST',
    headers: { 'x-webhook-secret': token },
    body: JSON.stringify({ event_type: 'email_sent', at: Math.random() }),
  }).then(({ status }) => status);
const carried = (): string => String(rig.fake.webhooks()[0]?.headers?.['x-webhook-secret']);
const ready = async (): Promise<Record<string, unknown>> =>
  (await fetch(`${rig.receiver.url}/readyz`)).json() as Promise<Record<string, unknown>>;

test('the old token leaves the settings, so that a new data folder does not let it in', async () => {
  rig = await startRig();
  await rig.json('webhooks', 'register');
  const dotenv = join(rig.folder, '.env');
  const before = readFileSync(dotenv, 'utf8');
  const rotated = await rig.run('secrets', 'rotate', '--json');
  expect(JSON.parse(rotated.stdout)).toMatchObject({ toDo: null });
  expect(readFileSync(dotenv, 'utf8')).toBe(before.replace(rig.token, carried()));
  expect(statSync(dotenv).mode & 0o777).toBe(0o600);
  expect(`${rotated.stdout}${rotated.stderr}`).not.toContain(carried());
  // Kept for a day, also by a start that reads the new settings.
  await rig.receiver.stop();
  await rig.restart();
  expect(await statusOf(rig.token)).toBe(200);
  expect(await ready()).not.toHaveProperty('retiredTokensInSettings');
  await rig.receiver.stop();
  rmSync(join(rig.folder, 'data'), { recursive: true });
  await rig.restart();
  expect(await statusOf(carried())).toBe(200);
  expect(await statusOf(rig.token)).toBe(401);
}, 60_000);

test('where the settings cannot be written the command says what to change, and all say so until it is done', async () => {
  rig = await startRig();
  await rig.json('webhooks', 'register');
  const output = join(rig.folder, 'new-token');
  const words = ['secrets', 'rotate', '--keep-hours', '0', '--output', output];
  const rotated = await runCommand(rig.folder, words, { env: { INSTANTLY_WEBHOOK_TOKEN: rig.token } });
  expect(rotated.stdout).toContain('To do: INSTANTLY_WEBHOOK_TOKEN is a variable of the environment');
  expect(rotated.stdout).toContain(output);
  expect(readFileSync(output, 'utf8')).toBe(`${carried()}\n`);
  expect(statSync(output).mode & 0o777).toBe(0o600);
  await rig.receiver.stop();
  await rig.restart();
  expect(await ready()).toMatchObject({ retiredTokensInSettings: 1 });
  const { log } = rig.receiver;
  const warning = log.lines.find(({ msg }) => String(msg).includes('holds a retired token at position 1'));
  expect(warning).toMatchObject({ level: 40 });
  const doctor = await rig.run('doctor', '--json');
  expect(JSON.parse(doctor.stdout)).toContainEqual({
    check: 'rotation',
    status: 'warn',
    found: expect.stringContaining('holds a retired token at position 1'),
    fix: expect.stringContaining(join(rig.folder, '.env')),
  });
  // The store is lost, the folder is not.
  await rig.receiver.stop();
  for (const end of ['', '-wal', '-shm']) rmSync(join(rig.folder, `data/receiver.db${end}`), { force: true });
  await rig.restart();
  expect(await statusOf(rig.token)).toBe(401);
}, 60_000);
