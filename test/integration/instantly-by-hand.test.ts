import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ReconcileReport } from '../../src/instantly/reconcile-options.ts';
import { callFake } from '../support/call-fake.ts';
import { type InstantlyRig, startRig, WEBHOOK_URL } from '../support/instantly-rig.ts';

const EVENTS = 7;

let rig: InstantlyRig;

beforeEach(async () => {
  rig = await startRig({
    fake: { retryDelaysMs: [], disableAfter: 1_000 },
    settings: { INSTANTLY_WATCH_SECONDS: '3600' },
  });
});
afterEach(() => rig.stop());

async function make(url: string): Promise<string> {
  const headers = { 'x-webhook-secret': rig.token };
  const { body } = await callFake(rig.fake, 'POST /webhooks', {
    body: { name: 'by hand', target_hook_url: url, event_type: 'email_sent', headers },
  });
  return (body as { id: string }).id;
}

async function emit(): Promise<void> {
  for (let n = 0; n < EVENTS; n += 1) {
    await rig.fake.emit({ event_type: 'email_sent', timestamp: new Date().toISOString(), n });
  }
}

/** Of its own accord: one that is killed at its round keeps its lease for a while. */
async function end(): Promise<void> {
  rig.receiver.child.kill('SIGTERM');
  expect(await rig.receiver.ended).toBe(0);
}

const stored = async (): Promise<number> => (await rig.json<unknown[]>('events', 'list')).length;

test('what a webhook with a query in its URL did not bring is fetched back', async () => {
  await make(`${WEBHOOK_URL}?by=hand`);
  await make('https://elsewhere.example.com/webhooks/instantly');
  await end();
  await emit();
  expect(await rig.json<ReconcileReport>('reconcile')).toMatchObject({ found: EVENTS, recovered: EVENTS });
  expect(await stored()).toBe(EVENTS);
  expect(await rig.json<ReconcileReport>('reconcile')).toMatchObject({ recovered: 0, held: EVENTS });
  await emit();
  rig.set({ INSTANTLY_WATCH_SECONDS: '1' });
  await rig.restart();
  while ((await stored()) < 2 * EVENTS) await new Promise((resolve) => setTimeout(resolve, 100));
}, 60_000);

test('a lost store gets back what was delivered before it began, where that is asked for, and only then', async () => {
  await make(WEBHOOK_URL);
  await emit();
  expect(await stored()).toBe(EVENTS);
  await end();
  rmSync(join(rig.folder, 'data'), { recursive: true });
  await rig.restart();
  await end();
  expect(await rig.json<ReconcileReport>('reconcile', '--all', '--since', '1d')).toMatchObject({
    found: 0,
    recovered: 0,
  });
  const lost = ['reconcile', '--include-succeeded'];
  expect(await rig.json<ReconcileReport>(...lost, '--dry-run')).toMatchObject({ recovered: EVENTS });
  expect(await stored()).toBe(0);
  expect(await rig.json<ReconcileReport>(...lost)).toMatchObject({ recovered: EVENTS, complete: true });
  expect(await stored()).toBe(EVENTS);
  expect(await rig.json<ReconcileReport>(...lost)).toMatchObject({ recovered: 0, held: EVENTS });
}, 60_000);

test('it is deleted as ours, and one that posts elsewhere is not', async () => {
  const ours = await make(`${WEBHOOK_URL}?by=hand`);
  const other = await make(`${WEBHOOK_URL}-of-another`);
  expect(await rig.run('webhooks', 'delete', other)).toMatchObject({ code: 1 });
  expect(await rig.run('webhooks', 'delete', ours)).toMatchObject({ code: 0 });
  expect(rig.fake.webhooks().map(({ id }) => id)).toEqual([other]);
}, 60_000);
