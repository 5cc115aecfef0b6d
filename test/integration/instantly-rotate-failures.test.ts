import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { rotateAlone } from '../../src/cli/secrets-rotate.ts';
import type { Operation } from '../../src/fake-instantly/operations.ts';
import { reportPresence } from '../../src/instantly/presence.ts';
import { type Rotated, rotateToken } from '../../src/instantly/rotate-token.ts';
import { readTokenBook } from '../../src/instantly/token-book.ts';
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
import { type InstantlySite, SITE_TOKEN, type Stage, startSite } from '../support/instantly-site.ts';

const DAY_MS = 86_400_000;
const HEADER = 'x-webhook-secret';
const FOREIGN_TOKEN = 'token-of-somebody-else-01';

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
  /** How many of these calls succeed before. */
  readonly after: number;
  /** Whether the token that is replaced was made by a rotation, so that the settings do not hold it. */
  readonly isSecond?: true;
}

const STEPS: readonly Step[] = [
  { operation: 'GET /webhooks', after: 0 },
  { operation: 'PATCH /webhooks/{id}', after: 0 },
  { operation: 'PATCH /webhooks/{id}', after: 1 },
  { operation: 'PATCH /webhooks/{id}', after: 1, isSecond: true },
  { operation: 'POST /webhooks/{id}/test', after: 0 },
  { operation: 'POST /webhooks/{id}/test', after: 1, isSecond: true },
  // Each list is two pages.
  { operation: 'GET /webhooks', after: 2 },
];

/** A test whose delivery came is proven, whatever its answer was. */
const isProven = ({ operation }: Step, fault: FaultCase): boolean => operation.endsWith('/test') && takesEffect(fault);
const ALL = STEPS.flatMap((step) => faultsOf(step.operation).map((fault) => ({ step, fault })));
const ROWS = ALL.filter(({ step, fault }) => !isProven(step, fault));
const nameOf = ({ operation, after, isSecond }: Step): string =>
  `${operation} number ${after + 1}${isSecond ? ', of a second rotation' : ''}`;

/** Two webhooks of ours, and one of somebody else. */
async function setStage(isSecond = false): Promise<void> {
  stage = await site.stage();
  const { writer, signal } = stage.tools();
  const fields = { event_type: 'all_events', campaign: null, custom_interest_value: null };
  for (const [name, url, token] of [
    ['one', stage.url, SITE_TOKEN],
    ['other', stage.url, SITE_TOKEN],
    ['foreign', 'https://foreign.example.com/hook', FOREIGN_TOKEN],
  ] as const) {
    const headers = { [HEADER]: token, 'x-name': name };
    await writer.createWebhook({ ...fields, target_hook_url: url, name, headers }, signal);
  }
  if (isSecond) await rotate();
}

function rotate({ timeoutMs = 15_000, keepMs = DAY_MS, withinMs = 5_000 } = {}): Promise<Rotated> {
  return rotateAlone(stage.tools({ timeoutMs }), { url: stage.url, keepMs, withinMs });
}

const ours = () => stage.fake.webhooks().filter(({ name }) => name !== 'foreign');
const carried = (): string[] => ours().map(({ headers }) => String(headers?.[HEADER]));

async function expectLetIn(...tokens: readonly string[]): Promise<void> {
  for (const token of [...tokens, ...carried()])
    expect([token.slice(0, 5), await stage.post(token)]).toEqual([token.slice(0, 5), 200]);
  const emitted = await stage.fake.emit({ event_type: 'email_sent', timestamp: new Date(), at: Math.random() });
  const own = emitted.filter(({ webhook_url: url }) => url === stage.url);
  expect(own).toHaveLength(2);
  expect(own.filter(({ success }) => !success)).toEqual([]);
}

/** Both carry the same token, which is none of the old ones, and everything else of them is as it was. */
function expectRotated(before: readonly string[]): void {
  const [token, ...others] = new Set(carried());
  expect(others).toEqual([]);
  expect(before).not.toContain(token);
  expect(ours().map(({ name, headers }) => [name, headers?.['x-name']])).toEqual([
    ['one', 'one'],
    ['other', 'other'],
  ]);
  expect(stage.fake.webhooks().at(-1)?.headers).toEqual({ [HEADER]: FOREIGN_TOKEN, 'x-name': 'foreign' });
}

async function failAt({ operation, after }: Step, fault: FaultCase): Promise<void> {
  if (after > 0) stage.fake.fail(operation, { adds: 'harmless' }, after);
  stage.fake.fail(operation, fault.fault, ALWAYS);
}

describe('what goes wrong at each step of a rotation', () => {
  test.each(
    ALL.filter(({ step, fault }) => isProven(step, fault)).map(
      ({ step, fault }) => [`${nameOf(step)}: ${fault.name}`, step, fault] as const,
    ),
  )('keeps nothing up where the delivery came: %s', async (_, step, fault) => {
    await setStage(step.isSecond);
    const before = carried();
    await failAt(step, fault);
    await rotate(timesOut(fault) ? { timeoutMs: SHORT_MS } : {});
    expectRotated(before);
  });

  test.each(ROWS.map(({ step, fault }) => [`${nameOf(step)}: ${fault.name}`, step, fault] as const))(
    '%s',
    async (_, step, fault) => {
      await setStage(step.isSecond);
      const before = [...new Set(carried())];
      const callsBefore = stage.fake.calls().length;
      await failAt(step, fault);
      const error: unknown = await rotate(timesOut(fault) ? { timeoutMs: SHORT_MS } : {}).catch(
        (reason: unknown) => reason,
      );
      expectExplained(error, step.operation, fault);
      const made = stage.fake.calls().slice(callsBefore);
      const tries = made.filter(({ operation }) => operation === step.operation);
      expect(tries).toHaveLength(step.after + attemptsOf(step.operation, fault));
      expect(failuresOf(await stage.entries(), 'secret.rotate')).toEqual([fault.failure]);
      await expectLetIn(SITE_TOKEN, ...before);

      stage.fake.clearFaults();
      const { replaced, until } = await rotate();
      expectRotated([SITE_TOKEN, ...before]);
      // The old one, whatever was made on the way.
      expect(replaced.length).toBeGreaterThanOrEqual(1);
      expect(until).toBeGreaterThan(Date.now() + DAY_MS - 60_000);
      await expectLetIn(SITE_TOKEN, ...before);
      const entries = await stage.entries();
      expectCallsAudited(entries, stage.fake);
      expect(failuresOf(entries, 'secret.rotate')).toHaveLength(1);
      expect((await readTokenBook(site.store)).book.rotation).toBeNull();
      expect(failuresOf(entries, 'webhook.receive')).toEqual([]);
    },
  );

  test.each(STEPS.map((step) => [nameOf(step), step] as const))(
    'more fields than are published are tolerated: %s',
    async (_, { operation, isSecond }) => {
      await setStage(isSecond);
      const before = carried();
      stage.fake.fail(operation, { adds: 'something_new' }, ALWAYS);
      await rotate();
      expectRotated(before);
    },
  );

  test('what passes is gone over', async () => {
    await setStage();
    for (const operation of new Set(STEPS.map((step) => step.operation))) {
      for (const fault of [429, 503, 'drop'] as const) stage.fake.fail(operation, fault);
    }
    await rotate();
    expectRotated([SITE_TOKEN]);
  });
});

describe('a rotation that fails', () => {
  test('and whose patch is carried out late is taken up all the same, though nothing was to be kept', async () => {
    await setStage();
    stage.fake.fail('PATCH /webhooks/{id}', 503, ALWAYS);
    await expect(rotate()).rejects.toThrow('webhooks.update');
    stage.fake.clearFaults();
    const { minted } = (await readTokenBook(site.store)).book;
    // Another one is made, whose patch fails too.
    stage.fake.fail('PATCH /webhooks/{id}', 503, ALWAYS);
    await expect(rotate({ keepMs: 0 })).rejects.toThrow('webhooks.update');
    const { book } = await readTokenBook(site.store);
    const [first] = book.minted;
    expect(first?.fingerprint).toBe(minted[0]?.fingerprint);
    expect(first?.acceptUntil).toBeGreaterThan(Date.now() + DAY_MS);
  });

  test('at receivers that do not know the token says which, and changes nothing at Instantly', async () => {
    await setStage();
    await reportPresence(site.store, 'deaf', { role: 'receiver', tokens: [], apiKeys: [] });
    try {
      await expect(rotate({ withinMs: 100 })).rejects.toThrow(
        /1 of 2 receivers do not know the token \w{12} yet: deaf/,
      );
    } finally {
      await site.store.dropDocument('presence:deaf');
    }
    expect(new Set(carried())).toEqual(new Set([SITE_TOKEN]));
    await expectLetIn(SITE_TOKEN);
    await rotate();
    expectRotated([SITE_TOKEN]);
  });

  test('because its test is refused says what Instantly says of it, and keeps everything', async () => {
    await setStage();
    const tools = stage.tools();
    const rotation = rotateToken({
      ...tools,
      url: stage.url,
      keepMs: DAY_MS,
      withinMs: 100,
      onStep: async (step, { webhookId }) => {
        // Somebody changes it at Instantly at this very moment.
        const headers = { [HEADER]: 'somebody-elses-token-0001' };
        if (step === 'test') await tools.writer.updateWebhook(String(webhookId), { headers }, tools.signal);
      },
    });
    await expect(rotation).rejects.toThrow(
      'no delivery with this token has come within 0 s of the test; Instantly says that it was answered 401: check that PUBLIC_URL can be reached from the internet and leads here',
    );
    expect((await readTokenBook(site.store)).book.retirements).toEqual([]);
    expect(await stage.post(SITE_TOKEN)).toBe(200);
    await rotate();
    expect(new Set(carried()).size).toBe(1);
    await expectLetIn(SITE_TOKEN);
  });

  test('because another is at work leaves that one alone', async () => {
    await setStage();
    await site.store.holdLease('rotate', 'somebody', 60_000);
    await expect(rotate()).rejects.toThrow('another registration or rotation is at work now');
    await site.store.releaseLease('rotate', 'somebody');
    expect(stage.fake.calls().filter(({ method }) => method !== 'GET' && method !== 'POST')).toEqual([]);
    expect(failuresOf(await stage.entries(), 'secret.rotate')).toEqual(['failed']);
  });

  test('without a webhook says how to make one', async () => {
    stage = await site.stage();
    await expect(rotate()).rejects.toThrow('the command "webhooks register" makes one');
  });
});
