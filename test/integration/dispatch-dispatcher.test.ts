import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { draft } from '../../src/audit/make-draft.ts';
import { RecoverLoop } from '../../src/dispatch/recover-loop.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { DispatchRig } from '../unit/dispatch-rig.ts';

let rig: DispatchRig;

beforeEach(async () => {
  rig = await DispatchRig.create();
});

afterEach(() => rig.remove());

const auditsOf = async () => (await rig.store.tailAudit(200)).entries.filter(({ action }) => action === 'handler.run');

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
    expect((await auditsOf()).slice(-2).map(({ metadata }) => metadata)).toEqual([
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

describe('order', () => {
  const body =
    "say(event.payload.n + (context.outOfOrder ? ' out of order' : '')); if (event.payload.fails >= context.attempt) throw new Error('no');";

  test('deliveries for one lead run one after the other, a failing one first to its end', async () => {
    rig.folder.writeHandle('ordered', body);
    await rig.start();
    await rig.accept({ lead: 'a', payload: { n: 'a1', fails: 3 } });
    await rig.accept({ lead: 'a', payload: { n: 'a2', fails: 1 } });
    await rig.accept({ lead: 'a', payload: { n: 'a3' } });
    await rig.accept({ lead: 'b', payload: { n: 'b1' } });
    await rig.until(4, 'done');
    expect(rig.folder.heard.filter((word) => word.startsWith('a'))).toEqual(['a1', 'a1', 'a1', 'a1', 'a2', 'a2', 'a3']);
    expect(rig.folder.count('b1')).toBe(1);
  });

  test('a failing one holds back its successors for the hold limit and no longer', async () => {
    rig.folder.writeHandle('ordered', body);
    // The second attempt is an hour away.
    await rig.start({ orderHoldMs: 300, backoffBaseMs: 3_600_000, backoffCapMs: 3_600_000 }, { random: () => 0.999 });
    await rig.accept({ lead: 'a', payload: { n: 'a1', fails: 1 } });
    await rig.accept({ lead: 'a', payload: { n: 'a2' } });
    await rig.until(1, 'done');
    expect(rig.folder.heard).toEqual(['a1', 'a2 out of order']);
    const [first, second] = rig.outcomes;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(300);
  });

  test('a dead one holds nothing, and a handler that does not care is not held', async () => {
    rig.folder.writeHandle('ordered', body);
    rig.folder.writeHandle(
      'free',
      'if (event.payload.n === "a1") await forever(); say("free " + event.payload.n)',
      "events: ['*'], ordered: false",
    );
    await rig.start({ maxAttempts: 1 });
    await rig.accept({ lead: 'a', payload: { n: 'a1', fails: 9 } });
    await rig.accept({ lead: 'a', payload: { n: 'a2' } });
    await Promise.all([rig.folder.until('a2'), rig.folder.until('free a2')]);
    expect(rig.states()).toContain('dead');
  });
});

describe('leases', () => {
  test('those of a process that is gone are taken back at the start, counted', async () => {
    rig.folder.writeHandle('late', "say('attempt ' + context.attempt)");
    await rig.start();
    await rig.dispatcher?.drain();
    await rig.accept();
    const gone = await SqliteStore.open({
      file: rig.file,
      writer: uuidv7(),
      auditKey: 'a key for the tests of the inbox',
      serve: false,
    });
    const claim = {
      now: Date.now(),
      places: [{ handler: 'late', limit: 1 }],
      lease: 'l',
      leaseUntil: Date.now() + 600_000,
    };
    expect((await gone.claim(claim)).deliveries).toHaveLength(1);
    await gone.close();
    await rig.start();
    await rig.until(1, 'done');
    expect(rig.folder.heard).toEqual(['attempt 2']);
  });

  test('those that are over are taken back while it runs', async () => {
    rig.folder.writeHandle('late', '');
    await rig.start();
    await rig.dispatcher?.drain();
    await rig.accept();
    const now = Date.now();
    await rig.store.claim({ now, places: [{ handler: 'late', limit: 1 }], lease: 'l', leaseUntil: now + 1_000 });
    let time = now;
    let recovered = (): void => undefined;
    const recovery = new Promise<void>((resolve) => {
      recovered = resolve;
    });
    const loop = new RecoverLoop({
      store: rig.store,
      routes: [],
      maxAttempts: 3,
      clock: () => time,
      logger: rig.log.logger,
      onRecovered: recovered,
      intervalMs: 20,
    });
    await loop.start();
    expect((await rig.store.counts()).deliveries).toMatchObject({ running: 1 });
    time += 1_000;
    await recovery;
    loop.stop();
    expect((await rig.store.counts()).deliveries).toMatchObject({ running: 0, pending: 1 });
  });

  test('handlers are registered for other processes to route by', async () => {
    rig.folder.writeHandle('a', '', "events: ['link_clicked'], ordered: false");
    await rig.start();
    expect(await rig.store.registeredHandlers()).toEqual([
      { handler: 'a', events: ['email_link_clicked'], ordered: false },
    ]);
  });
});

describe('while the store is away', () => {
  test('claims and outcomes are tried again, and a place is kept until its outcome is durable', async () => {
    rig.folder.writeHandle(
      'works',
      "say('began ' + event.payload.n); await new Promise((resolve) => setTimeout(resolve, 200)); say('ended ' + event.payload.n);",
    );
    await rig.start({ concurrency: 1 });
    await rig.accept({ payload: { n: 1 } });
    await rig.accept({ payload: { n: 2 } });
    await rig.folder.until('began 1');
    rig.lock();
    await rig.folder.until('ended 1');
    await expect(rig.accept({ payload: { n: 3 } })).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(rig.folder.heard).toEqual(['began 1', 'ended 1']);
    rig.unlock();
    await rig.until(2, 'done');
    expect(rig.folder.heard).toEqual(['began 1', 'ended 1', 'began 2', 'ended 2']);
    expect(rig.states()).toEqual(['done', 'done']);
  });

  test('claiming begins again by itself', async () => {
    rig.folder.writeHandle('works', '');
    const dispatcher = await rig.start();
    // Nobody says that something is due until the store is away.
    rig.dispatcher = undefined;
    await rig.accept();
    rig.dispatcher = dispatcher;
    rig.lock();
    dispatcher.wake();
    await rig.untilWarned('deliveries could not be claimed');
    rig.unlock();
    await rig.until(1, 'done');
    expect(rig.log.lines().map(({ msg }) => msg)).toContain('deliveries are claimed again');
  }, 20_000);

  test('the start waits for it', async () => {
    rig.folder.writeHandle('works', '');
    rig.lock();
    const start = rig.start();
    await rig.untilWarned('handlers could not be registered');
    rig.unlock();
    await start;
    await rig.accept();
    await rig.until(1, 'done');
  });

  test('drain does not wait for it: what has run keeps its lease', async () => {
    rig.folder.writeHandle('works', "say('began'); await new Promise((resolve) => setTimeout(resolve, 200));");
    const dispatcher = await rig.start();
    const id = await rig.accept();
    await rig.folder.until('began');
    rig.lock();
    await rig.untilWarned('the outcome of a delivery could not be committed');
    await expect(dispatcher.drain({ handlersMs: 100, abortMs: 100, endMs: 1_000 })).resolves.toEqual({
      threadsLeft: 0,
    });
    rig.unlock();
    expect(rig.states()).toEqual([]);
    expect((await rig.runs(id)).map(({ state }) => state)).toEqual(['running']);
  });
});

describe('drain', () => {
  test('lets what runs finish, and claims nothing more', async () => {
    rig.folder.writeHandle(
      'works',
      "say('began'); await new Promise((resolve) => setTimeout(resolve, 300)); say(String(context.signal.aborted));",
    );
    const dispatcher = await rig.start({ concurrency: 1 });
    await rig.accept();
    await rig.accept();
    await rig.folder.until('began');
    expect(await dispatcher.drain({ handlersMs: 8_000 })).toEqual({ threadsLeft: 0 });
    expect(rig.folder.heard).toEqual(['began', 'false']);
    expect(rig.states()).toEqual(['done']);
    expect((await rig.store.counts()).deliveries).toMatchObject({ pending: 1, running: 0, done: 1 });
  });

  test('aborts and gives back uncounted what does not, obedient, hanging or spinning', async () => {
    rig.folder.writeHandle(
      'obeys',
      "say('began'); await new Promise((resolve) => context.signal.addEventListener('abort', () => { say(context.signal.reason.name); resolve(); }));",
    );
    rig.folder.writeHandle('awaits', "say('began'); await forever();");
    rig.folder.writeHandle('spins', "say('began'); while (true) {}");
    const dispatcher = await rig.start();
    const id = await rig.accept();
    await rig.folder.until('began', 3);
    expect(await dispatcher.drain({ handlersMs: 100, abortMs: 300, endMs: 5_000 })).toEqual({ threadsLeft: 0 });
    expect(rig.folder.count('AbortError')).toBe(1);
    expect(rig.states()).toEqual(['released', 'released', 'released']);
    expect((await rig.runs(id)).map(({ state, attempts }) => ({ state, attempts }))).toEqual(
      Array.from({ length: 3 }, () => ({ state: 'pending', attempts: 0 })),
    );
    for (const { result, metadata } of await auditsOf()) {
      expect([result, metadata['outcome']]).toEqual(['failure', 'released']);
    }
  });

  test('can be cut short, and is the same however often it is called', async () => {
    rig.folder.writeHandle('awaits', "say('began'); await forever();");
    const dispatcher = await rig.start();
    await rig.accept();
    await rig.folder.until('began');
    const cut = new AbortController();
    const drained = dispatcher.drain({ handlersMs: 600_000, abortMs: 0, endMs: 5_000, signal: cut.signal });
    expect(dispatcher.drain()).toBe(drained);
    cut.abort();
    expect(await drained).toEqual({ threadsLeft: 0 });
    expect(rig.states()).toEqual(['released']);
  });
});

test('what is told of a run: metrics, audit and log, and nothing of a lead, a label or an error', async () => {
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
  const audits = await auditsOf();
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
      where: expect.stringMatching(/^tells\.mjs:/),
    }),
    expect.objectContaining({ level: 20, eventId, state: 'done' }),
  ]);
  expect(JSON.stringify(audits) + rig.log.text()).not.toMatch(/jane|hei|about/);
});
