import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { HandlerRegistry } from '../../src/dispatch/handler-registry.ts';
import { RecoverLoop } from '../../src/dispatch/recover-loop.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { DispatchRig } from '../unit/dispatch-rig.ts';

let rig: DispatchRig;

beforeEach(async () => {
  rig = await DispatchRig.create();
});

afterEach(() => rig.remove());

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
      routes: () => [],
      owner: undefined,
      keepsOthers: () => false,
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

describe('handlers of processes that share a store', () => {
  const names = async () => (await rig.store.registeredHandlers()).map(({ handler, events }) => `${handler} ${events}`);
  const registry = (owner: string, ...routes: [string, string][]) =>
    new HandlerRegistry({
      store: rig.store,
      owner,
      keepsOthers: () => false,
      logger: rig.log.logger,
      routes: () => routes.map(([handler, event]) => ({ handler, events: [event], ordered: true })),
    });

  test('stay registered until the last process that has them signs off; the newest start says what they take', async () => {
    const older = registry('older', ['crm', 'email_sent'], ['gone', '*']);
    const newer = registry('newer', ['crm', '*'], ['new', '*']);
    await older.register(true);
    await newer.register(true);
    const all = ['crm *', 'gone *', 'new *'];
    expect(await names()).toEqual(all);
    await older.register(false);
    expect(await names()).toEqual(all);
    await older.signOff();
    await newer.register(false);
    expect(await names()).toEqual(['crm *', 'new *']);
  });
});

test('a start says how many deliveries are orphaned, once', async () => {
  rig.folder.writeHandle('gone', 'await forever();');
  await rig.start();
  await rig.accept();
  await rig.dispatcher?.drain({ handlersMs: 0 });
  rmSync(`${rig.folder.dir}/gone.mjs`);
  rig.folder.writeHandle('here', '');
  await rig.start();
  const said = rig.log.lines().filter(({ msg }) => /orphaned/.test(String(msg)));
  expect(said).toEqual([expect.objectContaining({ level: 40, deliveries: 1, handlers: ['gone'] })]);
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
