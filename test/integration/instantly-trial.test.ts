import { afterEach, expect, test } from '@jest/globals';
import type { Line } from '../../src/cli/doctor/check.ts';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';

let rig: InstantlyRig;

afterEach(() => rig.stop());

async function diagnose(): Promise<{ readonly code: unknown; readonly unwell: string[] }> {
  const { code, stdout } = await rig.run('doctor', '--json');
  const lines = JSON.parse(stdout) as Line[];
  return { code, unwell: lines.filter(({ status }) => status !== 'ok').map(({ check }) => check) };
}

test('the trial of docs/instantly.md: doctor is well, a second registration changes nothing, and tests are told from real deliveries', async () => {
  rig = await startRig();
  expect(await diagnose()).toEqual({ code: 0, unwell: ['registration'] });
  expect(await rig.json('webhooks', 'register')).toMatchObject({ done: 'created' });
  const before = rig.fake.webhooks();
  expect(await rig.json('webhooks', 'register')).toMatchObject({ done: 'unchanged' });
  expect(rig.fake.webhooks()).toEqual(before);
  expect(rig.fake.calls().filter(({ method }) => method === 'PATCH')).toEqual([]);
  expect(await rig.json('webhooks', 'register', '--event', 'email_sent')).toMatchObject({ done: 'updated' });
  await rig.fake.emit('email_sent');
  const events = await rig.json<{ source: string; id: string }[]>('events', 'list');
  expect(events.map(({ source }) => source)).toEqual(['webhook', 'test']);
  expect(await rig.json('events', 'show', events[1]?.id ?? '')).toMatchObject({ source: 'test' });
  expect((await rig.run('events', 'list')).stdout).toMatch(/ test .*\n/);
  expect(await diagnose()).toEqual({ code: 0, unwell: [] });
}, 120_000);
