import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DispatchRig } from '../unit/dispatch-rig.ts';

let rig: DispatchRig;

beforeEach(async () => {
  rig = await DispatchRig.create();
});

afterEach(() => rig.remove());

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
