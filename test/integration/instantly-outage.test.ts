import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { newId } from '../../src/audit/new-id.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';

const MINUTE_MS = 60_000;
const HANDLER = `
import { appendFileSync } from 'node:fs';
export default { name: 'note', events: ['email_sent'], handle: ({ payload }) => appendFileSync('noted.txt', payload.n + '\\n') };
`;

let rig: InstantlyRig;

afterEach(() => rig.stop());

/** The test that a registration asks for has no number. */
function noted(): number[] {
  const file = join(rig.folder, 'noted.txt');
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => /^\d+$/.test(line))
        .map(Number)
    : [];
}

/** As if the receiver had first served long before what the clock of the fake begins with. */
async function ageFirstStart(): Promise<void> {
  const file = join(rig.folder, 'data/receiver.db');
  const auditKey = readFileSync(join(rig.folder, 'data/audit-key'), 'utf8').trim();
  const store = await SqliteStore.open({ file, writer: newId(), auditKey, serve: false });
  await store.writeDocument('first-start', String(Date.now() - 60 * MINUTE_MS), null);
  await store.close();
}

/** A process that was killed holds the lease of the watch for a while. */
async function eventually(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The watch may be in the midst of fetching itself. */
async function reconcileAll(): Promise<unknown> {
  const deadline = Date.now() + 45_000;
  for (;;) {
    const { code, stdout, stderr } = await rig.run('reconcile', '--all', '--json');
    if (code === 0) return JSON.parse(stdout);
    if (!stderr.includes('another reconciliation is at work') || Date.now() > deadline) throw new Error(stderr);
  }
}

test('an outage of ten minutes, in which Instantly disables the webhook, loses nothing', async () => {
  const begin = Date.now() - 15 * MINUTE_MS;
  rig = await startRig({
    fake: { now: () => begin, whileDisabled: 'failed' },
    settings: { INSTANTLY_WATCH_SECONDS: '1' },
    handlers: { 'note.mjs': HANDLER },
  });
  await rig.json('webhooks', 'register');
  await rig.receiver.stop();
  await ageFirstStart();
  await rig.restart();

  let n = 0;
  const emit = (): Promise<unknown> => {
    n += 1;
    const timestamp = new Date(rig.fake.now()).toISOString();
    return rig.fake.emit({ event_type: 'email_sent', lead_email: `lead-${n % 7}@northwind.example`, timestamp, n });
  };
  for (let before = 0; before < 10; before += 1) await emit();
  await rig.receiver.stop();

  // One every ten seconds; each is tried three times.
  for (let at = 0; at < 10 * MINUTE_MS; at += 10_000) {
    await emit();
    await rig.fake.advance(10_000);
  }
  expect(rig.fake.webhooks()).toMatchObject([{ status: -1 }]);
  await rig.restart();
  await eventually(() => rig.fake.webhooks()[0]?.status === 1);
  await eventually(() => new Set(noted()).size === n);
  const times = new Map<number, number>();
  for (const one of noted()) times.set(one, (times.get(one) ?? 0) + 1);
  expect([...times.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, index) => index + 1));
  expect(Math.max(...times.values())).toBeLessThanOrEqual(2);

  // Instantly delivers again, and what is fetched back a second time is held.
  await emit();
  await eventually(() => noted().includes(n));
  expect(await reconcileAll()).toMatchObject({ recovered: 0, complete: true });
  const ready = await fetch(`${rig.receiver.url}/readyz`).then((response) => response.json());
  expect(ready).toMatchObject({ status: 'ok', registration: { status: 'active' } });
  const metrics = await fetch(`${rig.receiver.url}/metrics`).then((response) => response.text());
  expect(metrics).toMatch(/instantly_registration_status\{webhook="[^"]+"\} 1/);
  expect(metrics).toContain('instantly_reconciled_events_total 60');
  const events = await rig.json<{ source: string; principal: string }[]>('events', 'list', '--limit', '1000');
  expect(events.filter(({ source }) => source === 'reconcile')).toHaveLength(60);
  expect(events.find(({ source }) => source === 'reconcile')?.principal).toBe('instantly:log');
  const entries = await rig.json<{ action: string }[]>('audit', 'tail', '--limit', '10000');
  expect(entries.filter(({ action }) => action === 'webhook.resume')).toHaveLength(1);
  expect(await rig.run('audit', 'verify')).toMatchObject({ code: 0 });
}, 120_000);
