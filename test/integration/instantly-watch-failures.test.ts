import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Operation } from '../../src/fake-instantly/operations.ts';
import { Inbox } from '../../src/inbox/accept.ts';
import { Watch } from '../../src/instantly/watch.ts';
import { readWatchState, type WatchState } from '../../src/instantly/watch-state.ts';
import {
  ALWAYS,
  attemptsOf,
  expectCallsAudited,
  expectTold,
  type FaultCase,
  failuresOf,
  faultsOf,
  isReadOn,
  nameOf,
  SHORT_MS,
  takesEffect,
  timesOut,
} from '../support/instantly-faults.ts';
import { type InstantlySite, SITE_TOKEN, type Stage, startSite } from '../support/instantly-site.ts';

const HOUR_MS = 3_600_000;
const INTERVAL_MS = 300_000;
const RETENTION_MS = 30 * 24 * HOUR_MS;
/** More than one page of the log holds. */
const MISSED = 30;
/** With the empty one at the end. */
const PAGES = 3;

let site: InstantlySite;
let stage: Stage;
/** What is added to the clock. */
let later = 0;
let said: string[] = [];

beforeAll(async () => {
  site = await startSite();
});
afterEach(() => stage.close());
afterAll(async () => {
  expect(await site.verify()).toMatchObject({ ok: true });
  await site.stop();
});

interface Step {
  readonly name: string;
  readonly operation: Operation;
  /** How many of these calls succeed before. */
  readonly after: number;
  /** Whether Instantly has disabled the webhook. */
  readonly isDisabled: boolean;
}

const STEPS: readonly Step[] = [
  { name: 'the list of webhooks', operation: 'GET /webhooks', after: 0, isDisabled: true },
  { name: 'resuming', operation: 'POST /webhooks/{id}/resume', after: 0, isDisabled: true },
  { name: 'the first page of the log', operation: 'GET /webhook-events', after: 0, isDisabled: false },
  { name: 'the second page of the log', operation: 'GET /webhook-events', after: 1, isDisabled: false },
  { name: 'what was sent', operation: 'GET /campaigns/analytics/daily', after: 0, isDisabled: false },
];
const ROWS = STEPS.flatMap((step) => faultsOf(step.operation).map((fault) => ({ step, fault })));

/** A webhook none of whose deliveries arrived. */
async function setStage(isDisabled = true): Promise<void> {
  const disableAfter = isDisabled ? MISSED : ALWAYS;
  stage = await site.stage({ delivers: false, retryDelaysMs: [], disableAfter });
  await site.store.writeDocument('first-start', String(Date.now() - HOUR_MS), null);
  later = 0;
  said = [];
  const { writer, signal } = stage.tools();
  const fields = { name: 'ours', event_type: 'all_events', campaign: null, custom_interest_value: null };
  const headers = { 'x-webhook-secret': SITE_TOKEN };
  await writer.createWebhook({ ...fields, target_hook_url: stage.url, headers }, signal);
  for (let n = 0; n < MISSED; n += 1) {
    const timestamp = new Date().toISOString();
    await stage.fake.emit({ event_type: 'email_sent', campaign_id: stage.campaign, timestamp, n });
  }
  expect(stage.fake.webhooks()).toMatchObject([{ status: isDisabled ? -1 : 1 }]);
}

function watch({ timeoutMs = 15_000, resumes = true } = {}): { readonly watch: Watch; readonly states: WatchState[] } {
  const { reader, writer, store } = stage.tools({ timeoutMs });
  const { receiver } = site.running;
  const states: WatchState[] = [];
  const say = (message: unknown, text?: string): void => void said.push(text ?? String(message));
  const made = new Watch({
    store,
    reader,
    writer: resumes ? writer : undefined,
    inbox: new Inbox({ commits: receiver.commits, handlers: () => [], retentionMs: RETENTION_MS }),
    url: stage.url,
    owner: 'in-this-process',
    intervalMs: INTERVAL_MS,
    retentionMs: RETENTION_MS,
    record: (entry) => receiver.trail.record(entry),
    tokenOf: () => null,
    isRefused: () => false,
    onState: (state) => states.push(state),
    onAccepted: () => undefined,
    logger: { info: say, warn: say, error: say },
    now: () => Date.now() + later,
  });
  return { watch: made, states };
}

async function expectAllOnce(): Promise<void> {
  expect(await stage.stored()).toHaveLength(MISSED);
  const entries = await stage.entries();
  expect(entries.filter(({ action }) => action === 'reconcile.accept')).toHaveLength(MISSED);
  expect(entries.filter(({ action }) => action === 'webhook.receive')).toEqual([]);
}

/** What of it the audit log calls the service's own doing. */
function expectedFailures(
  { operation }: Step,
  { failure }: FaultCase,
): { readonly action: string; readonly reasons: string[] } {
  if (operation === 'POST /webhooks/{id}/resume') return { action: 'webhook.resume', reasons: [failure] };
  if (operation === 'GET /webhook-events') return { action: 'reconcile.run', reasons: [failure] };
  return { action: 'reconcile.run', reasons: [] };
}

describe('what goes wrong at each step of a look', () => {
  test.each(ROWS.map(({ step, fault }) => [`${step.name}: ${fault.name}`, step, fault] as const))(
    '%s',
    async (_, step, fault) => {
      await setStage(step.isDisabled);
      const { operation, after } = step;
      if (after > 0) stage.fake.fail(operation, { adds: 'harmless' }, after);
      stage.fake.fail(operation, fault.fault, ALWAYS);
      const first = watch(timesOut(fault) ? { timeoutMs: SHORT_MS } : {});
      await first.watch.round();
      const tries = stage.fake.calls().filter((call) => call.operation === operation);
      const isOfLog = operation === 'GET /webhook-events';
      expect(tries).toHaveLength(isOfLog && isReadOn(fault) ? PAGES : after + attemptsOf(operation, fault));
      expectTold(said.find((line) => line.includes(`: ${nameOf(operation)}: `)) ?? '', operation, fault);
      const { action, reasons } = expectedFailures(step, fault);
      expect(failuresOf(await stage.entries(), action)).toEqual(reasons);
      expect(first.states.at(-1)?.fault).toBe(operation === 'GET /webhooks' ? fault.failure : null);
      if (operation === 'POST /webhooks/{id}/resume') {
        expect(stage.fake.webhooks()[0]?.status).toBe(takesEffect(fault) ? 1 : -1);
        expect(first.states.at(-1)?.webhooks).toMatchObject([
          { status: 'disabled', resumes: 0, resuming: ['timeout', 'server', 'unreachable'].includes(fault.failure) },
        ]);
      }

      stage.fake.clearFaults();
      later = INTERVAL_MS;
      // As after a restart: nothing is remembered but what the store holds.
      const second = watch();
      await second.watch.round();
      expect(stage.fake.webhooks()).toMatchObject([{ status: 1 }]);
      expect(second.states.at(-1)).toMatchObject({
        fault: null,
        reconcile: { run: null },
        webhooks: [{ status: 'active' }],
      });
      await expectAllOnce();
      expectCallsAudited(await stage.entries(), stage.fake);

      later = 2 * INTERVAL_MS;
      await second.watch.round();
      await expectAllOnce();
      expect((await readWatchState(site.store)).reconcile).toMatchObject({ run: null, allFrom: null });
    },
  );

  test('killed when it had just resumed the webhook, the next one knows the spell, and that it was us', async () => {
    await setStage();
    const { operation } = STEPS[1] ?? { operation: 'POST /webhooks/{id}/resume' };
    stage.fake.fail(operation, { afterwards: 'hang' });
    const killed = watch();
    const round = killed.watch.round();
    while (!stage.fake.calls().some((call) => call.operation === operation)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // What the store holds now is all that a killed process leaves behind.
    const left = await site.store.readDocument('watch');
    await killed.watch.stop();
    await expect(round).rejects.toThrow();
    await site.store.writeDocument('watch', left?.text ?? '', null);
    expect(stage.fake.webhooks()).toMatchObject([{ status: 1 }]);

    later = INTERVAL_MS;
    const second = watch();
    await second.watch.round();
    expect(second.states.at(-1)?.webhooks).toMatchObject([{ status: 'active', resumes: 1, resuming: false }]);
    await expectAllOnce();
    // Everything since the spell was asked for: the successes, and then all pages.
    const pages = stage.fake.calls().filter((call) => call.operation === 'GET /webhook-events');
    expect(pages).toHaveLength(PAGES + 1);
  });

  test('more fields than are published are tolerated', async () => {
    await setStage();
    for (const { operation } of STEPS) stage.fake.fail(operation, { adds: 'something_new' }, ALWAYS);
    await watch().watch.round();
    expect(stage.fake.webhooks()).toMatchObject([{ status: 1 }]);
    await expectAllOnce();
  });

  test('that is the first of a process is taken at once; a later one not, where any process looked a moment ago', async () => {
    await setStage();
    await watch().watch.round();
    const lists = () => stage.fake.calls().filter(({ operation }) => operation === 'GET /webhooks').length;
    const before = lists();
    later = INTERVAL_MS / 2 - 30_000;
    const second = watch();
    await second.watch.round();
    expect(lists()).toBeGreaterThan(before);
    second.states.length = 0;
    const calls = stage.fake.calls().length;
    await second.watch.round();
    expect(stage.fake.calls()).toHaveLength(calls);
    expect(second.states).toMatchObject([{ webhooks: [{ status: 'active' }] }]);
  });

  test('which another process is at is left to that one', async () => {
    await setStage();
    await site.store.holdLease('watch', 'another', 60_000);
    const { watch: made, states } = watch();
    await made.round();
    await site.store.releaseLease('watch', 'another');
    expect(stage.fake.calls().filter(({ operation }) => operation === 'GET /webhooks')).toEqual([]);
    expect(states).toMatchObject([{ at: 0, webhooks: [] }]);
  });

  test('nothing is fetched back while a command is at that, and all of it is afterwards', async () => {
    await setStage(false);
    const { watch: ours } = watch();
    expect(await site.store.holdLease('reconcile', 'a command', 60_000)).toBe(true);
    await ours.round();
    expect(await stage.stored()).toEqual([]);
    await site.store.releaseLease('reconcile', 'a command');
    later += INTERVAL_MS;
    await ours.round();
    await expectAllOnce();
  });

  test('without a key for writing nothing is resumed, it is said once, and what is logged is fetched', async () => {
    await setStage();
    const made = watch({ resumes: false });
    await made.watch.round();
    later = INTERVAL_MS;
    await made.watch.round();
    expect(said.filter((line) => line.includes('run "webhooks resume", or set a key for writing'))).toHaveLength(1);
    expect(stage.fake.webhooks()).toMatchObject([{ status: -1 }]);
    await expectAllOnce();
  });

  test('an answer without the status does not make a disabled spell forgotten', async () => {
    await setStage();
    const made = watch({ resumes: false });
    await made.watch.round();
    later = INTERVAL_MS;
    stage.fake.fail('GET /webhooks', { lacks: 'status' }, 2);
    await made.watch.round();
    expect(made.states.at(-1)?.webhooks).toMatchObject([{ status: 'unknown' }]);
    const { writer, signal } = stage.tools();
    await writer.resumeWebhook(String(stage.fake.webhooks()[0]?.id), signal);
    later = 2 * INTERVAL_MS;
    const before = stage.fake.calls().length;
    await made.watch.round();
    // The successes first, which only a run over everything asks for.
    const pages = stage.fake
      .calls()
      .slice(before)
      .filter(({ operation }) => operation === 'GET /webhook-events');
    expect(pages).toHaveLength(4);
  });
});
