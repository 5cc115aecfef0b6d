import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { Line } from '../../src/cli/doctor/check.ts';
import { callFake } from '../support/call-fake.ts';
import { type InstantlyRig, startRig, WEBHOOK_URL } from '../support/instantly-rig.ts';

const LOOK_MS = 50;

let rig: InstantlyRig;

afterEach(() => rig.stop());

interface Ready {
  readonly registration: { readonly status: string; readonly reason?: string };
}

const ready = async (): Promise<Ready> => (await fetch(`${rig.receiver.url}/readyz`)).json() as Promise<Ready>;

async function untilRegistration(status: string): Promise<Ready> {
  for (;;) {
    const found = await ready();
    if (found.registration.status === status) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Puts a copy in the place of the store, as the README says. */
async function restore(copy: string): Promise<void> {
  rig.receiver.child.kill('SIGKILL');
  await rig.receiver.ended;
  for (const end of ['', '-wal', '-shm']) rmSync(join(rig.folder, `data/receiver.db${end}`), { force: true });
  copyFileSync(copy, join(rig.folder, 'data/receiver.db'));
  await rig.restart();
}

const isRefused = async (): Promise<boolean> => {
  const before = rig.fake.log().length;
  await rig.fake.emit('email_sent');
  return rig.fake.log()[before]?.success === false;
};

const waitForLine = (part: string) => {
  const { log } = rig.receiver;
  return log.waitFor(() => log.lines.find(({ msg }) => String(msg).includes(part)), part);
};

const saidOf = async (check: string): Promise<Line[]> =>
  (JSON.parse((await rig.run('doctor', '--json')).stdout) as Line[]).filter((line) => line.check === check);

test('a backup from before a rotation: said at once with the command that fixes it, which works at once', async () => {
  rig = await startRig({ fake: { retryDelaysMs: [], disableAfter: 1_000 } });
  await rig.json('webhooks', 'register');
  await rig.json('backup', 'before.db');
  await rig.json('secrets', 'rotate', '--keep-hours', '0');
  expect(await isRefused()).toBe(false);
  // The settings come from the backup too.
  rig.set({});
  await restore(join(rig.folder, 'before.db'));
  expect(await isRefused()).toBe(true);
  const body = JSON.stringify({ event_type: 'email_sent' });
  const headers = { 'x-webhook-secret': rig.token };
  const answer = await fetch(`${rig.receiver.url}/webhooks/instantly`, { method: 'POST', headers, body });
  expect(answer.status).toBe(401);

  expect((await untilRegistration('refused')).registration.reason).toContain('"webhooks register"');
  const said = await waitForLine('is refused');
  expect(said).toMatchObject({ level: 50, msg: expect.stringContaining('"webhooks register"') });
  expect(await (await fetch(`${rig.receiver.url}/metrics`)).text()).toMatch(
    /^instantly_registration_status\{.*\} -2$/m,
  );
  expect(await saidOf('registration')).toMatchObject([
    { status: 'fail', fix: expect.stringContaining('"webhooks register"') },
  ]);
  expect(await saidOf('receivers')).toMatchObject([{ status: 'ok', found: expect.stringMatching(/^1 on this store/) }]);

  await rig.json('webhooks', 'register', '--wait', '5');
  expect(await isRefused()).toBe(false);
  await rig.receiver.stop();
  await rig.restart();
  await untilRegistration('active');
}, 120_000);

test('the command names the webhook whose token is wrong, and leaves what it is told of as it is', async () => {
  rig = await startRig({ settings: { INSTANTLY_WATCH_SECONDS: '1' } });
  const made = { name: "O'Neil's replies", target_hook_url: WEBHOOK_URL, event_type: 'reply_received' };
  await callFake(rig.fake, 'POST /webhooks', {
    body: { ...made, headers: { 'x-webhook-secret': 'of-another-installation' } },
  });
  const { registration } = await untilRegistration('refused');
  const command = /"webhooks (register [^"]*)"/.exec(registration.reason ?? '')?.[1];
  expect(command).toBe(`register --event reply_received --name 'O'\\''Neil'\\''s replies'`);
  await rig.json('webhooks', 'register', '--event', 'reply_received', '--name', "O'Neil's replies");
  expect(rig.fake.webhooks()).toMatchObject([{ ...made, headers: { 'x-webhook-secret': rig.token } }]);
  await untilRegistration('active');
  await waitForLine('let in again');
}, 120_000);
