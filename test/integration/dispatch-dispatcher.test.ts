import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { draft } from '../../src/audit/make-draft.ts';
import { DispatchRig } from '../unit/dispatch-rig.ts';

let rig: DispatchRig;

beforeEach(async () => {
  rig = await DispatchRig.create();
});

afterEach(() => rig.remove());

describe('retries', () => {
  test('a handler that fails three times succeeds at the fourth attempt', async () => {
    rig.folder.writeHandle(
      'flaky',
      "say('attempt ' + context.attempt); if (context.attempt < 4) throw new Error('jane@lead.example');",
    );
    await rig.start();
    const id = await rig.accept();
    await rig.until(1, 'done');
    expect(rig.states()).toEqual(['pending', 'pending', 'pending', 'done']);
    expect(rig.folder.heard).toEqual(['attempt 1', 'attempt 2', 'attempt 3', 'attempt 4']);
    expect(await rig.runs(id)).toEqual([
      expect.objectContaining({ handler: 'flaky', state: 'done', attempts: 4, lastError: 'Error: [address]' }),
    ]);
  });

  test('one that always fails ends dead after its last attempt, and runs again when it is replayed', async () => {
    rig.folder.writeHandle(
      'fails',
      "if (!context.replay) throw new Error('no'); say('replayed at attempt ' + context.attempt);",
    );
    await rig.start({ maxAttempts: 3 });
    const id = await rig.accept();
    await rig.until(1, 'dead');
    expect(rig.states()).toEqual(['pending', 'pending', 'dead']);
    expect(await rig.store.listDead({ limit: 10 })).toEqual([
      expect.objectContaining({ eventId: id, handler: 'fails', attempts: 3, lastError: 'Error: no' }),
    ]);
    const audit = draft({
      action: 'event.replay',
      userId: 'admin',
      resource: 'events',
      result: 'success',
      at: Date.now(),
    });
    const replayed = await rig.store.replay({ filter: { limit: 10, ids: [id] }, only: 'dead', now: Date.now(), audit });
    expect(replayed.deliveries).toBe(1);
    rig.dispatcher?.wake();
    await rig.until(1, 'done');
    expect(rig.folder.heard).toEqual(['replayed at attempt 1']);
    expect((await rig.runs(id)).map(({ state }) => state)).toEqual(['done']);
  });

  test('wait by exponential backoff with full jitter', async () => {
    rig.folder.writeHandle('fails', "throw new Error('no')");
    const drawn = [0, 0.5, 0.999_999];
    await rig.start({ maxAttempts: 4, backoffBaseMs: 20, backoffCapMs: 50 }, { random: () => drawn.shift() ?? 0 });
    await rig.accept();
    await rig.until(1, 'dead');
    const delays = rig.outcomes.map(({ at, next }) => (next.state === 'pending' ? next.retryAt - at : next.state));
    expect(delays).toEqual([0, 20, 50, 'dead']);
  });
});

describe('one handler', () => {
  test('that hangs or never yields delays no other, and costs only its own attempts', async () => {
    rig.folder.writeHandle('awaits', 'await forever();', "events: ['reply_received']");
    rig.folder.writeHandle('spins', 'while (true) {}', "events: ['reply_received']");
    rig.folder.writeHandle('works', "say('worked')");
    await rig.start({ timeoutMs: 1_500, maxAttempts: 1 });
    await rig.accept();
    for (let i = 0; i < 20; i += 1) await rig.accept({ type: 'email_sent' });
    await rig.until(21, 'done');
    // All of it while the two were still within their time.
    expect(rig.states()).not.toContain('dead');
    await rig.until(2, 'dead');
    expect((await rig.audits()).slice(-2).map(({ metadata }) => metadata)).toEqual([
      expect.objectContaining({ outcome: 'dead', failure: 'timed-out', attempt: 1 }),
      expect.objectContaining({ outcome: 'dead', failure: 'timed-out', attempt: 1 }),
    ]);
    await rig.accept({ type: 'email_sent' });
    await rig.until(22, 'done');
  });

  test('runs as many deliveries at once as it may, and no more', async () => {
    rig.folder.write(
      'counts.mjs',
      `let now = 0;
       let open;
       const full = new Promise((resolve) => { open = resolve; });
       export default {
         name: 'counts',
         events: ['*'],
         async handle() {
           now += 1;
           say('at once ' + now);
           if (now === 3) open();
           await full;
           await new Promise((resolve) => setTimeout(resolve, 20));
           now -= 1;
         },
       };`,
    );
    await rig.start({ concurrency: 3 });
    await Promise.all(Array.from({ length: 12 }, () => rig.accept()));
    await rig.until(12, 'done');
    expect(rig.folder.count('at once 3')).toBeGreaterThan(0);
    expect(rig.folder.count('at once 4')).toBe(0);
  });

  test('whose thread is lost gives the innocent back uncounted, and they run', async () => {
    rig.folder.writeHandle(
      'exits',
      `say(event.payload.n + ' at attempt ' + context.attempt);
       if (event.payload.n === 'bad') { if (nth.calls++ === 0) await new Promise((resolve) => setTimeout(resolve, 100)); process.exit(1); }
       await new Promise((resolve) => setTimeout(resolve, 400));`,
    );
    await rig.start({ maxAttempts: 1 });
    const good = await rig.accept({ payload: { n: 'good' } });
    const bad = await rig.accept({ payload: { n: 'bad' } });
    await rig.until(1, 'done');
    await rig.until(1, 'dead');
    expect(rig.states()).toContain('released');
    expect(rig.folder.count('good at attempt 1')).toBe(2);
    expect(await rig.runs(good)).toEqual([expect.objectContaining({ state: 'done', attempts: 1 })]);
    expect(await rig.runs(bad)).toEqual([
      expect.objectContaining({ state: 'dead', attempts: 1, lastError: 'process.exit was called' }),
    ]);
  });
});

test('what is told of a run: metrics, audit and log, with the masked error in the log alone', async () => {
  rig.folder.writeHandle(
    'tells',
    "if (context.attempt === 1) throw new Error('about ' + event.lead + ' ' + event.type);",
  );
  const told: unknown[] = [];
  await rig.start(
    {},
    {
      hooks: {
        onStart: ({ handler, attempt, replay }) => told.push(['start', handler, attempt, replay]),
        onRun: (handler, result, seconds) => told.push([handler, result, seconds >= 0 && seconds < 5]),
      },
    },
  );
  const eventId = await rig.accept({ lead: 'jane@lead.example', type: 'Sehr heiß' });
  await rig.until(1, 'done');
  expect(told).toEqual([
    ['start', 'tells', 1, false],
    ['tells', 'threw', true],
    ['start', 'tells', 2, false],
    ['tells', 'done', true],
  ]);
  const audits = await rig.audits();
  expect(audits).toEqual([
    expect.objectContaining({ userId: 'service', resource: 'handler', result: 'failure' }),
    expect.objectContaining({ userId: 'service', resource: 'handler', result: 'success' }),
  ]);
  const fields = { handler: 'tells', eventId, eventType: 'custom', durationMs: expect.any(Number) };
  expect(audits.map(({ metadata }) => metadata)).toEqual([
    { ...fields, attempt: 1, outcome: 'retry', failure: 'threw' },
    { ...fields, attempt: 2, outcome: 'done' },
  ]);
  const lines = rig.log.lines().filter(({ msg }) => msg === 'handler run');
  expect(lines).toEqual([
    expect.objectContaining({
      level: 40,
      eventId,
      state: 'pending',
      failure: 'threw',
      error: 'Error: about [address] Sehr heiß',
      where: expect.stringMatching(/^tells\.mjs:/),
    }),
    expect.objectContaining({ level: 30, handler: 'tells', eventId, attempt: 2, state: 'done' }),
  ]);
  expect(JSON.stringify(audits)).not.toMatch(/jane|hei|about/);
  expect(rig.log.text()).not.toContain('jane');
});
