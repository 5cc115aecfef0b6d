import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HandlerRunner } from '../../src/dispatch/handler-runner.ts';
import { RUN_LIMITS } from '../../src/dispatch/limits.ts';
import { type LoadedHandler, loadHandlers } from '../../src/dispatch/load-handlers.ts';
import { makeDelivery, TestLog } from '../unit/dispatch-support.ts';

const handlersDir = join(import.meta.dirname, '../../handlers');

let log: TestLog;
let handlers: readonly LoadedHandler[];

beforeEach(async () => {
  log = new TestLog();
  handlers = (await loadHandlers(handlersDir)).handlers;
});

afterEach(() => log.remove());

/** Runs the example twice, as at-least-once may. */
async function runTwice(handler: string, delivery: ReturnType<typeof makeDelivery>, env: NodeJS.ProcessEnv = {}) {
  const loaded = handlers.find((known) => known.handler === handler);
  if (loaded === undefined) throw new Error(`there is no example ${handler}`);
  const { file, modules } = loaded;
  const runner = new HandlerRunner({
    handler,
    file,
    modules,
    env,
    logLevel: 'info',
    logFd: log.fd,
    logger: log.logger,
    limits: RUN_LIMITS,
    timeoutMs: 5_000,
    clock: Date.now,
    onRoom: () => undefined,
  });
  const outcomes = [await runner.run(delivery, Date.now() + 600_000), await runner.run(delivery, Date.now() + 600_000)];
  await runner.end();
  expect(outcomes).toEqual([{ kind: 'done' }, { kind: 'done' }]);
}

test('the examples load, and take what they say', () => {
  expect(handlers.map(({ handler, events, ordered }) => ({ handler, events, ordered }))).toEqual([
    { handler: 'log-replies', events: ['reply_received', 'auto_reply_received'], ordered: false },
    { handler: 'suppress-leads', events: ['email_bounced', 'lead_unsubscribed'], ordered: true },
  ]);
});

test('log-replies tells of a reply without the lead or the text', async () => {
  const payload = { event_type: 'reply_received', lead_email: 'jane@lead.example', reply_text: 'Call me', step: 2 };
  await runTwice('log-replies', makeDelivery('log-replies', { lead: 'jane@lead.example', payload }));
  await runTwice('log-replies', makeDelivery('log-replies', { type: 'auto_reply_received', payload: {} }));
  expect(log.lines()).toEqual([
    ...Array.from({ length: 2 }, () =>
      expect.objectContaining({ msg: 'a lead has replied', step: 2, byMachine: false, characters: 7 }),
    ),
    ...Array.from({ length: 2 }, () => expect.objectContaining({ msg: 'a lead has replied', byMachine: true })),
  ]);
  expect(log.text()).not.toMatch(/jane|Call me/);
});

test('suppress-leads does nothing without a folder, and the same however often it is called with one', async () => {
  const delivery = makeDelivery('suppress-leads', { type: 'email_bounced', lead: 'jane@lead.example' });
  await runTwice('suppress-leads', delivery);
  const dir = mkdtempSync(join(tmpdir(), 'receiver-suppressed-'));
  await runTwice('suppress-leads', delivery, { SUPPRESSION_DIR: dir });
  await runTwice('suppress-leads', makeDelivery('suppress-leads', { lead: null }), { SUPPRESSION_DIR: dir });
  const name = createHash('sha256').update('jane@lead.example').digest('hex');
  expect(readdirSync(dir)).toEqual([name]);
  expect(JSON.parse(readFileSync(join(dir, name), 'utf8'))).toEqual({
    type: 'email_bounced',
    receivedAt: new Date(delivery.receivedAt).toISOString(),
    idempotencyKey: `${delivery.eventId}:suppress-leads`,
    outOfOrder: false,
  });
  rmSync(dir, { recursive: true });
});
