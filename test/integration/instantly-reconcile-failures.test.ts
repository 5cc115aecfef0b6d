import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { reconcileAlone } from '../../src/cli/reconcile.ts';
import type { ReconcileReport } from '../../src/instantly/reconcile-options.ts';
import {
  ALWAYS,
  attemptsOf,
  expectCallsAudited,
  expectExplained,
  type FaultCase,
  failuresOf,
  faultsOf,
  isReadOn,
  SHORT_MS,
  timesOut,
} from '../support/instantly-faults.ts';
import { type InstantlySite, SITE_TOKEN, type Stage, startSite, type ToolOptions } from '../support/instantly-site.ts';

const HOUR_MS = 3_600_000;
/** Events that did not arrive: more than one page of the log holds. */
const MISSED = 30;
/** With the empty one at the end. */
const PAGES = 3;
const OPERATION = 'GET /webhook-events';

let site: InstantlySite;
let stage: Stage;

beforeAll(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  site = await startSite();
});
afterEach(() => stage.close());
afterAll(async () => {
  expect(await site.verify()).toMatchObject({ ok: true });
  await site.stop();
  jest.restoreAllMocks();
});

/** A webhook whose deliveries have all failed. */
async function setStage(): Promise<void> {
  stage = await site.stage({ delivers: false, retryDelaysMs: [], disableAfter: ALWAYS });
  await site.store.writeDocument('first-start', String(Date.now() - HOUR_MS), null);
  const { writer, signal } = stage.tools();
  const fields = { name: 'ours', event_type: 'all_events', campaign: null, custom_interest_value: null };
  const headers = { 'x-webhook-secret': SITE_TOKEN };
  await writer.createWebhook({ ...fields, target_hook_url: stage.url, headers }, signal);
  for (let n = 0; n < MISSED; n += 1) await emit(n);
}

const emit = (n: number) =>
  stage.fake.emit({ event_type: 'email_sent', campaign_id: stage.campaign, timestamp: new Date().toISOString(), n });

function reconcile(
  more: { readonly all?: true; readonly maxPages?: number } = {},
  tools: ToolOptions = {},
): Promise<ReconcileReport> {
  return reconcileAlone(stage.tools(tools), stage.url, { maxPages: 1_000, maxMinutes: 15, ...more });
}

interface Step {
  readonly name: string;
  /** Pages that are read before. */
  readonly after: number;
  readonly all?: true;
}

const STEPS: readonly Step[] = [
  { name: 'the first page', after: 0 },
  { name: 'the second page', after: 1 },
  { name: 'the successes', after: 0, all: true },
  { name: 'a page of all', after: 2, all: true },
];

/** A list of successes is empty here, so its entries lack nothing. */
const ROWS = STEPS.flatMap((step) =>
  faultsOf(OPERATION)
    .filter(({ name }) => step.name !== 'the successes' || !name.startsWith('no field') || name === 'no field items')
    .map((fault: FaultCase) => ({ step, fault })),
);

async function expectAllOnce(): Promise<void> {
  const stored = await stage.stored();
  expect(stored).toHaveLength(MISSED);
  expect(new Set(stored.map(({ source }) => source))).toEqual(new Set(['reconcile']));
  const entries = await stage.entries();
  expect(entries.filter(({ action }) => action === 'reconcile.accept')).toHaveLength(MISSED);
}

describe('what goes wrong while the delivery log is read', () => {
  test.each(ROWS.map(({ step, fault }) => [`${step.name}: ${fault.name}`, step, fault] as const))(
    '%s',
    async (_, { after, all }, fault) => {
      await setStage();
      if (after > 0) stage.fake.fail(OPERATION, { adds: 'harmless' }, after);
      stage.fake.fail(OPERATION, fault.fault, ALWAYS);
      const mode = all === undefined ? {} : { all };
      const tried = reconcile(mode, timesOut(fault) ? { timeoutMs: SHORT_MS } : {});
      expectExplained(await tried.catch((reason: unknown) => reason), OPERATION, fault);
      expect(failuresOf(await stage.entries(), 'reconcile.run')).toEqual([fault.failure]);
      const tries = stage.fake.calls().filter(({ operation }) => operation === OPERATION);
      const pages = all === undefined ? PAGES : PAGES + 1;
      expect(tries).toHaveLength(isReadOn(fault) ? pages : after + attemptsOf(OPERATION, fault));
      // What came before it is held.
      expect(await stage.stored()).toHaveLength(after === 1 || (all === true && after === 2) ? 25 : 0);

      stage.fake.clearFaults();
      const report = await reconcile(mode);
      expect(report.complete).toBe(true);
      await expectAllOnce();
      expectCallsAudited(await stage.entries(), stage.fake);
      expect(await reconcile(mode)).toMatchObject({ recovered: 0, held: MISSED });
      await expectAllOnce();
    },
  );

  test.each(['something_new', 'retry_group_id', 'retry_successful', 'success', 'lead_email', 'timestamp_created'])(
    'one field more or less is tolerated: %s',
    async (field) => {
      await setStage();
      stage.fake.fail(OPERATION, field === 'something_new' ? { adds: field } : { lacks: field }, ALWAYS);
      expect(await reconcile()).toMatchObject({ recovered: MISSED, complete: true });
      await expectAllOnce();
    },
  );

  test('what passes is gone over', async () => {
    await setStage();
    for (const fault of [429, 500, 503, 'drop'] as const) stage.fake.fail(OPERATION, fault);
    expect(await reconcile()).toMatchObject({ recovered: MISSED, complete: true });
    await expectAllOnce();
  });

  test('interrupted in the midst of a page it holds what came before, and the next run the rest', async () => {
    await setStage();
    const stop = new AbortController();
    stage.fake.fail(OPERATION, { adds: 'harmless' });
    stage.fake.fail(OPERATION, 'hang');
    const tried = reconcile({}, { signal: stop.signal });
    const outcome = expect(tried).rejects.toThrow('stopped by the test');
    while (stage.fake.calls().at(-1)?.status !== null) await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort(new Error('stopped by the test'));
    await outcome;
    expect(await stage.stored()).toHaveLength(25);
    const reasons = (await stage.entries())
      .filter(({ action }) => action === 'instantly.api.call')
      .map(({ metadata }) => metadata['reason']);
    expect(reasons.at(-1)).toBe('aborted');
    await reconcile();
    await expectAllOnce();
  });

  test('a run that a limit ends says where to go on', async () => {
    await setStage();
    const first = await reconcile({ maxPages: 1 });
    expect(first).toMatchObject({ complete: false, recovered: 25, startingAfter: expect.any(String) });
    await reconcile();
    await expectAllOnce();
  });

  test('nothing of it is done with the key for writing', async () => {
    await setStage();
    const writing = stage.fake.calls().map(({ keyId }) => keyId);
    await reconcile({ all: true });
    const reading = stage.fake
      .calls()
      .slice(writing.length)
      .map(({ keyId }) => keyId);
    expect(new Set(reading).size).toBe(1);
    expect(writing).not.toContain(reading[0]);
  });
});
