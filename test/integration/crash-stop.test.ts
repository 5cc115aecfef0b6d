import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkStore, NO_FAULTS } from '../support/check-store.ts';
import { TOKEN, withToken } from '../support/credentials.ts';
import { freshBody } from '../support/payloads.ts';
import { post } from '../support/post.ts';
import { launchReceiver, type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';
import { SteadyLoad } from '../support/steady-load.ts';

const ENV = { INSTANTLY_WEBHOOK_TOKEN: TOKEN };
const CLIENTS = 32;
/** What is promised, and a second for the processes around it. */
const ENDS_WITHIN_MS = 11_000;

let folder = '';
const running: Pick<ReceiverProcess, 'stop'>[] = [];

async function start(): Promise<ReceiverProcess> {
  const receiver = await spawnReceiverIn(folder, ENV);
  running.push(receiver);
  return receiver;
}

function launch(): ReturnType<typeof launchReceiver> {
  const launched = launchReceiver(folder, ENV);
  running.push(launched);
  return launched;
}

beforeEach(() => {
  folder = makeFolder();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ stop }) => stop()));
  rmSync(folder, { recursive: true, force: true });
});

test('told to stop twice under load: exit code 0 in time, and every 200 is in the store', async () => {
  const receiver = await start();
  const load = new SteadyLoad(CLIENTS);
  await load.aim(receiver.port);
  const told = performance.now();
  receiver.child.kill('SIGTERM');
  await receiver.log.waitForMessage('stopping');
  receiver.child.kill('SIGTERM');
  expect(await receiver.ended).toBe(0);
  expect(performance.now() - told).toBeLessThan(ENDS_WITHIN_MS);
  await load.end();
  const { faults, audit } = await checkStore(folder, load.events);
  expect(faults).toEqual(NO_FAULTS);
  expect(audit).toMatchObject({ ok: true });
});

test('with a handler inside a system call: exit code 0 in time, and its attempt is not counted', async () => {
  mkdirSync(join(folder, 'handlers'));
  writeFileSync(
    join(folder, 'handlers', 'stuck.mjs'),
    `import { execFileSync } from 'node:child_process';
    export default { name: 'stuck', events: ['*'], handle(event, { logger }) {
      logger.info('waits for a program');
      execFileSync(process.execPath, ['--eval', 'setTimeout(() => undefined, 15_000)']);
    } };`,
  );
  const receiver = await start();
  expect((await post(receiver, freshBody(), withToken)).status).toBe(200);
  await receiver.log.waitForMessage('waits for a program');
  const told = performance.now();
  receiver.child.kill('SIGTERM');
  expect(await receiver.ended).toBe(0);
  expect(performance.now() - told).toBeLessThan(ENDS_WITHIN_MS);
  const { deliveries } = await checkStore(folder, [], ['stuck']);
  expect(deliveries).toEqual({ pending: 1 });
}, 60_000);

test('a second receiver waits for the first to stop, and gives up with one line where it does not', async () => {
  const first = await start();
  const late = launch();
  expect(await late.ended).toBe(78);
  await expect(late.ready).rejects.toThrow(
    /before it was ready:\nDATABASE_URL: another receiver(?: \(process \d+\))? is serving from \S+receiver\.db; stop it, or give this one a file of its own\n$/,
  );
  expect((await post(first, freshBody(), withToken)).status).toBe(200);

  const next = launch();
  first.child.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  const second = await next.ready;
  expect((await post(second, freshBody(), withToken)).status).toBe(200);
}, 60_000);
