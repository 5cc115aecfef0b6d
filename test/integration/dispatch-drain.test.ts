import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DispatchRig } from '../unit/dispatch-rig.ts';

let rig: DispatchRig;

beforeEach(async () => {
  rig = await DispatchRig.create();
});

afterEach(() => rig.remove());

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
    expect(await dispatcher.drain({ handlersMs: 100, abortMs: 3_000, endMs: 5_000 })).toEqual({ threadsLeft: 0 });
    expect(rig.folder.count('AbortError')).toBe(1);
    expect(rig.states()).toEqual(['released', 'released', 'released']);
    expect((await rig.runs(id)).map(({ state, attempts }) => ({ state, attempts }))).toEqual(
      Array.from({ length: 3 }, () => ({ state: 'pending', attempts: 0 })),
    );
    for (const { result, metadata } of await rig.audits()) {
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
