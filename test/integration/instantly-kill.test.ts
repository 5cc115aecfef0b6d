import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Fault } from '../../src/fake-instantly/faults.ts';
import type { Operation } from '../../src/fake-instantly/operations.ts';
import { callFake } from '../support/call-fake.ts';
import { type InstantlyRig, startRig, WEBHOOK_URL } from '../support/instantly-rig.ts';
import { endOf, type Ran, spawnCommand } from '../support/run-command.ts';

const HEADER = 'x-webhook-secret';
const PATIENCE_MS = 60_000;

let rig: InstantlyRig;

beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

/** Where a command is killed: at a call that is never answered, or as soon as it says something. */
type Moment = { readonly operation: Operation; readonly fault: Fault } | { readonly says: string };

const nameOf = (moment: Moment): string =>
  'says' in moment ? `when it says "${moment.says}"` : `at ${moment.operation}, ${JSON.stringify(moment.fault)}`;

/** Runs a command until that moment, and kills it then. */
async function killAt(moment: Moment, words: readonly string[]): Promise<void> {
  if ('operation' in moment) rig.fake.fail(moment.operation, moment.fault);
  const before = rig.fake.calls().length;
  const child = spawnCommand(rig.folder, words);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if ('says' in moment && said.includes(moment.says)) child.kill('SIGKILL');
  });
  const ended = endOf(child);
  if ('operation' in moment) {
    const deadline = Date.now() + PATIENCE_MS;
    const isThere = (): boolean =>
      rig.fake
        .calls()
        .slice(before)
        .some(({ operation, status }) => operation === moment.operation && status === null);
    while (!isThere()) {
      if (Date.now() > deadline) throw new Error(`the call never came: ${nameOf(moment)}\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    child.kill('SIGKILL');
  }
  expect((await ended).code).toBe('SIGKILL');
}

/** As if half a minute had gone by. */
function forgetLease(): void {
  const db = new DatabaseSync(rig.receiver.file, { timeout: 10_000 });
  db.exec("DELETE FROM singleton_leases WHERE name = 'rotate'");
  db.close();
}

/** Events that go on being delivered, until it is told to end; gives how many. */
function emitAlways(): () => Promise<number> {
  const emitted: Promise<unknown>[] = [];
  const timer = setInterval(() => emitted.push(rig.fake.emit('email_sent')), 50);
  return async () => {
    clearInterval(timer);
    await Promise.all(emitted);
    return emitted.length;
  };
}

const carried = (): unknown[] => rig.fake.webhooks().map(({ headers }) => headers?.[HEADER]);

function expectNoneRefused(): void {
  expect(rig.fake.log().filter(({ success }) => !success)).toEqual([]);
}

async function expectAudited(failures: number): Promise<void> {
  expect(await rig.run('audit', 'verify')).toMatchObject({ code: 0 });
  const entries = await rig.json<{ action: string; result: string }[]>('audit', 'tail', '--limit', '100000');
  const refused = entries.filter(({ action, result }) => action === 'webhook.receive' && result === 'failure');
  expect(refused).toHaveLength(failures);
}

const ROTATION: readonly Moment[] = [
  { operation: 'GET /webhooks', fault: 'hang' },
  { says: 'waiting until every receiver knows it' },
  { operation: 'PATCH /webhooks/{id}', fault: 'hang' },
  { operation: 'PATCH /webhooks/{id}', fault: { afterwards: 'hang' } },
  { operation: 'POST /webhooks/{id}/test', fault: 'hang' },
  { operation: 'POST /webhooks/{id}/test', fault: { afterwards: 'hang' } },
];

describe('a rotation that is killed', () => {
  test.each(ROTATION.map((moment) => [nameOf(moment), moment] as const))(
    '%s, is completed by running it again, and no delivery is refused meanwhile',
    async (_, moment) => {
      await rig.json('webhooks', 'register');
      const end = emitAlways();
      await killAt(moment, ['secrets', 'rotate']);
      const [left] = carried();
      const isCarried = left !== rig.token;
      forgetLease();
      const again = await rig.run('secrets', 'rotate');
      expect(again).toMatchObject({ code: 0 });
      expect(again.stderr.includes('an earlier rotation is taken up')).toBe(isCarried);
      // What Instantly carries already is what it goes on with.
      if (isCarried) expect(carried()).toEqual([left]);
      else expect(carried()).not.toEqual([rig.token]);
      await rig.fake.emit('email_sent');
      expect(await end()).toBeGreaterThan(20);
      expectNoneRefused();
      await expectAudited(0);
    },
    180_000,
  );

  test('keeps others away for half a minute, and then no longer', async () => {
    await rig.json('webhooks', 'register');
    await killAt({ operation: 'PATCH /webhooks/{id}', fault: { afterwards: 'hang' } }, ['secrets', 'rotate']);
    const started = Date.now();
    const tries: Ran[] = [];
    while (tries.at(-1)?.code !== 0 && Date.now() - started < PATIENCE_MS) {
      tries.push(await rig.run('secrets', 'rotate'));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    expect(tries.at(-1)).toMatchObject({ code: 0 });
    expect(tries[0]).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'another registration or rotation is at work now; one that has vanished is forgotten after half a minute',
      ),
    });
    await rig.fake.emit('email_sent');
    expectNoneRefused();
  }, 180_000);
});

const REGISTRATION: readonly Moment[] = [
  { operation: 'GET /webhooks', fault: 'hang' },
  { says: 'waiting until every receiver knows the token' },
  { operation: 'POST /webhooks', fault: 'hang' },
  { operation: 'POST /webhooks', fault: { afterwards: 'hang' } },
  { operation: 'POST /webhooks/{id}/test', fault: 'hang' },
];

test('a registration that is killed, wherever, leaves one webhook once it is run again', async () => {
  for (const moment of REGISTRATION) {
    await killAt(moment, ['webhooks', 'register']);
    forgetLease();
    rig.fake.clearFaults();
    expect([nameOf(moment), await rig.run('webhooks', 'register')]).toMatchObject([nameOf(moment), { code: 0 }]);
    const [webhook, ...others] = rig.fake.webhooks();
    expect(others).toEqual([]);
    expect(webhook).toMatchObject({ target_hook_url: WEBHOOK_URL, headers: { [HEADER]: rig.token }, status: 1 });
    await rig.fake.emit('email_sent');
    await callFake(rig.fake, `DELETE /webhooks/${webhook?.id}`);
  }
  expectNoneRefused();
  await expectAudited(0);
}, 240_000);
