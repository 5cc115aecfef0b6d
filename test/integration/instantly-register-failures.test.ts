import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { registerAlone } from '../../src/cli/webhook-actions.ts';
import type { Operation } from '../../src/fake-instantly/operations.ts';
import type { Registered, Registration } from '../../src/instantly/register-webhook.ts';
import {
  ALWAYS,
  attemptsOf,
  expectCallsAudited,
  expectExplained,
  type FaultCase,
  failuresOf,
  faultsOf,
  SHORT_MS,
  takesEffect,
  timesOut,
} from '../support/instantly-faults.ts';
import { type InstantlySite, SITE_TOKEN, type Stage, type StageOptions, startSite } from '../support/instantly-site.ts';

const WITHIN_MS = 5_000;

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

interface Step {
  readonly operation: Operation;
  /** What is there before. */
  readonly before: 'nothing' | 'a webhook' | 'a disabled webhook';
  readonly label?: string;
}

const STEPS: readonly Step[] = [
  { operation: 'GET /webhooks', before: 'nothing' },
  { operation: 'GET /webhooks', before: 'a webhook' },
  { operation: 'GET /webhooks/event-types', before: 'nothing', label: 'Hot lead' },
  { operation: 'POST /webhooks', before: 'nothing' },
  { operation: 'PATCH /webhooks/{id}', before: 'a webhook' },
  { operation: 'POST /webhooks/{id}/resume', before: 'a disabled webhook' },
  { operation: 'POST /webhooks/{id}/test', before: 'nothing' },
  { operation: 'POST /webhooks/{id}/test', before: 'a webhook' },
];

/** What an empty list has not cannot be missing. */
const ROWS = STEPS.flatMap((step) =>
  faultsOf(step.operation)
    .filter(
      ({ name }) =>
        step.before !== 'nothing' ||
        !/^no field (id|target_hook_url)$/.test(name) ||
        step.operation !== 'GET /webhooks',
    )
    .map((fault) => ({ step, fault })),
);

function registrationOf(label?: string): Registration {
  return {
    url: stage.url,
    name: 'ours',
    eventType: label === undefined ? 'all_events' : null,
    label,
    campaign: null,
  };
}

async function setStage(before: Step['before'], more: StageOptions = {}): Promise<void> {
  stage = await site.stage({ ...more, labels: [{ interest_status: 7, label: 'Hot lead' }] });
  if (before === 'nothing') return;
  const headers = { 'X-Webhook-Secret': 'somebody-elses-token-0001', 'x-kept': 'as it is' };
  const { writer, signal } = stage.tools();
  const fields = { name: 'ours', event_type: 'reply_received', campaign: null, custom_interest_value: null, headers };
  const { id } = await writer.createWebhook({ target_hook_url: stage.url, ...fields }, signal);
  if (before === 'a disabled webhook') stage.fake.disable(id);
}

const register = (label?: string, timeoutMs?: number): Promise<Registered> =>
  registerAlone(stage.tools(timeoutMs === undefined ? {} : { timeoutMs }), registrationOf(label), WITHIN_MS);

/** One webhook, active, that carries the token of the settings and lets an event in. */
async function expectRegistered(label?: string): Promise<void> {
  const [webhook, ...others] = stage.fake.webhooks();
  expect(others).toEqual([]);
  expect(webhook).toMatchObject({ name: 'ours', target_hook_url: stage.url, status: 1 });
  expect(webhook).toMatchObject({
    headers: { 'x-webhook-secret': SITE_TOKEN },
    event_type: label === undefined ? 'all_events' : null,
    custom_interest_value: label === undefined ? null : 7,
  });
  const emitted = await stage.fake.emit({ event_type: label ?? 'email_sent', timestamp: new Date(), at: stage.url });
  expect(emitted).toMatchObject([{ success: true, status_code: 200 }]);
}

/** Where a webhook was made and nobody was told, it is found in the list; a delivery that came proves its test. */
function isFound({ operation }: Step, fault: FaultCase): boolean {
  return (operation === 'POST /webhooks' || operation === 'POST /webhooks/{id}/test') && takesEffect(fault);
}

describe('what goes wrong at each step of a registration', () => {
  test.each(
    ROWS.map(({ step, fault }) => [`${step.operation} with ${step.before}: ${fault.name}`, step, fault] as const),
  )('%s', async (_, step, fault) => {
    await setStage(step.before);
    const { operation, label } = step;
    stage.fake.fail(operation, fault.fault, ALWAYS);
    const webhooksBefore = stage.fake.webhooks();
    const tried = register(label, timesOut(fault) ? SHORT_MS : undefined);
    if (isFound(step, fault)) {
      await tried;
    } else {
      const error: unknown = await tried.catch((reason: unknown) => reason);
      expectExplained(error, operation, fault);
      expect(failuresOf(await stage.entries(), 'webhook.register')).toEqual([fault.failure]);
    }
    const calls = stage.fake.calls().filter((call) => call.operation === operation);
    expect(calls).toHaveLength(attemptsOf(operation, fault));
    if (operation === 'POST /webhooks') expect(stage.fake.webhooks()).toHaveLength(takesEffect(fault) ? 1 : 0);
    if (operation === 'GET /webhooks') expect(stage.fake.webhooks()).toEqual(webhooksBefore);

    stage.fake.clearFaults();
    expect(await register(label)).toMatchObject({ test: { reason: expect.stringMatching(/^(accepted|duplicate)$/) } });
    await expectRegistered(label);
    const entries = await stage.entries();
    expectCallsAudited(entries, stage.fake);
    expect(entries.filter(({ action, result }) => action === 'webhook.register' && result === 'success')).toHaveLength(
      isFound(step, fault) ? 2 : 1,
    );
  });

  test.each(STEPS.map((step) => [`${step.operation} with ${step.before}`, step] as const))(
    'more fields than are published are tolerated: %s',
    async (_, { operation, before, label }) => {
      await setStage(before);
      stage.fake.fail(operation, { adds: 'something_new' }, ALWAYS);
      await register(label);
      await expectRegistered(label);
    },
  );

  test('what passes is gone over: one failure of each call that may be repeated', async () => {
    await setStage('a disabled webhook');
    for (const operation of new Set(STEPS.map((step) => step.operation))) {
      for (const fault of [429, 500, 'drop'] as const) stage.fake.fail(operation, fault);
    }
    await register();
    await expectRegistered();
  });

  test('where the answer to making it is lost and the list fails too, it is found by the next run', async () => {
    await setStage('nothing');
    // The list is asked for twice: each time a page with nothing, before and after.
    stage.fake.fail('GET /webhooks', { adds: 'harmless' });
    stage.fake.fail('GET /webhooks', 503, ALWAYS);
    stage.fake.fail('POST /webhooks', { afterwards: 500 });
    await expect(register()).rejects.toThrow('webhooks.list: Instantly could not answer (status 503)');
    expect(stage.fake.webhooks()).toHaveLength(1);
    stage.fake.clearFaults();
    expect(await register()).toMatchObject({ done: 'unchanged' });
    await expectRegistered();
  });

  test('what a webhook carries beside the token stays', async () => {
    await setStage('a webhook');
    await register();
    expect(stage.fake.webhooks()[0]?.headers).toEqual({ 'x-kept': 'as it is', 'x-webhook-secret': SITE_TOKEN });
  });

  test('a label that the workspace has not is said before anything is made', async () => {
    await setStage('nothing');
    await expect(register('Cold lead')).rejects.toThrow('the workspace has no label "Cold lead"; it has Hot lead');
    expect(stage.fake.webhooks()).toEqual([]);
  });

  test('reading and writing go by their own keys', async () => {
    await setStage('a disabled webhook', { nullEventType: 'taken' });
    await register('Hot lead');
    const byMethod = Map.groupBy(stage.fake.calls(), ({ method }) => (method === 'GET' ? 'read' : 'write'));
    const [reading, writing] = ['read', 'write'].map(
      (kind) => new Set(byMethod.get(kind === 'read' ? 'read' : 'write')?.map(({ keyId }) => keyId)),
    );
    expect([reading?.size, writing?.size]).toEqual([1, 1]);
    expect([...(reading ?? [])]).not.toEqual([...(writing ?? [])]);
    expect(stage.fake.calls().filter(({ status }) => status === 403)).toEqual([]);
  });
});

const called = (method: string) => stage.fake.calls().filter((call) => call.method === method);

describe('a subscription to a label', () => {
  test.each(['refused', 'taken'] as const)('is made where null is %s for an event type', async (nullEventType) => {
    await setStage('nothing', { nullEventType });
    await register('Hot lead');
    await expectRegistered('Hot lead');
    expect(called('POST').map(({ status }) => status)).toEqual([200, 200]);
    await register('Hot lead');
    await expectRegistered('Hot lead');
  });

  test('takes the place of one to a type, where null takes that away', async () => {
    await setStage('a webhook', { nullEventType: 'taken' });
    await register('Hot lead');
    await expectRegistered('Hot lead');
    expect(called('PATCH')).toHaveLength(2);
    await register();
    await expectRegistered();
  });

  test('is refused in plain words where nothing takes the type away', async () => {
    await setStage('a webhook');
    const [webhook] = stage.fake.webhooks();
    await expect(register('Hot lead')).rejects.toThrow(
      `subscribed to reply_received beside the label: delete it ("webhooks delete ${webhook?.id}")`,
    );
  });

  test.each([
    { lacks: 'label' },
    { nulls: 'label' },
    { lacks: 'event_types' },
    { nulls: 'event_types' },
    { answer: {} },
  ])('is refused before anything is made where the labels are not told: %j', async (fault) => {
    await setStage('nothing');
    stage.fake.fail('GET /webhooks/event-types', fault, ALWAYS);
    await expect(register('Hot lead')).rejects.toThrow('or Instantly does not tell its labels');
    expect(stage.fake.webhooks()).toEqual([]);
  });

  test('is found beside types that tell less', async () => {
    await setStage('nothing');
    const label = { id: 7, label: 'Hot lead' };
    const types = [{ id: 'email_sent' }, {}, null, { label: 'Hot lead' }, { id: '', label: 'Hot lead' }, label];
    stage.fake.fail('GET /webhooks/event-types', { answer: { event_types: types } });
    await register('Hot lead');
    await expectRegistered('Hot lead');
  });
});

describe('fields that may be absent or null', () => {
  const FIELDS = ['name', 'event_type', 'status', 'headers', 'campaign', 'custom_interest_value', 'timestamp_error'];

  // A name that is null is one of another webhook: it has none.
  const ROWS = FIELDS.flatMap((field) => [{ lacks: field }, { nulls: field }]);
  test.each(ROWS.filter((fault) => fault.nulls !== 'name'))('nothing needs %j', async (fault) => {
    await setStage('nothing');
    await register();
    for (const operation of ['GET /webhooks', 'PATCH /webhooks/{id}', 'POST /webhooks'] as const) {
      stage.fake.fail(operation, fault, ALWAYS);
    }
    expect(await register()).toMatchObject({ done: expect.stringMatching(/^(updated|unchanged)$/) });
    await expectRegistered();
  });

  test.each([{}, null, [], 'done', { success: null, status_code: null }])(
    'the answers to changes and tests may be %j',
    async (answer) => {
      await setStage('a disabled webhook');
      for (const operation of [
        'PATCH /webhooks/{id}',
        'POST /webhooks/{id}/resume',
        'POST /webhooks/{id}/test',
      ] as const)
        stage.fake.fail(operation, { answer }, ALWAYS);
      await register();
      await expectRegistered();
    },
  );

  test('a test of which nothing is told and nothing comes says so', async () => {
    await setStage('nothing', { delivers: false });
    stage.fake.fail('POST /webhooks/{id}/test', { answer: {} }, ALWAYS);
    const tried = registerAlone(stage.tools(), registrationOf(), 300);
    await expect(tried).rejects.toThrow('Instantly does not say what became of it');
  });
});
