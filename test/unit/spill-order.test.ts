import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import type { AcceptResult } from '../../src/inbox/store.ts';
import { makeAccept } from '../contract/make-parts.ts';
import { createSpilling, QUICK, type SpillingUnderTest, storedContents } from './spill-support.ts';

const LEADS = 6;
const ROUNDS = 400;

let under: SpillingUnderTest;

beforeEach(async () => {
  under = await createSpilling();
});
afterEach(async () => {
  under.primary.recover();
  await under.remove();
});

/** The same numbers at every run: Park and Miller's generator. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

describe('order over outages', () => {
  test.each([1, 2, 3])('holds for each lead with three commits at once (%i)', async (seed) => {
    const random = createRandom(seed);
    const store = await under.open({ times: { ...QUICK, gateLimitMs: 40 } });
    // Commits, moves and outages overlap, and now and then a move takes so long that nobody waits for it at the gate.
    under.primary.before = (call) => pause(call === 'moveIn' && random(3) === 0 ? 60 : random(8));
    const commits = new GroupCommit({
      store,
      maxQueued: 100_000,
      maxBatch: 7,
      maxInFlight: 3,
      takeAudits: () => [],
      lostAudits: () => undefined,
    });
    const answers: Promise<AcceptResult>[] = [];
    for (let n = 0; n < ROUNDS; n += 1) {
      for (let lead = 0; lead < LEADS; lead += 1) {
        answers.push(commits.accept(makeAccept({ content: `${lead}:${n}`, lead: `lead-${lead}@one.example` })));
      }
      if (random(12) === 0) {
        if (under.primary.health !== 'up') under.primary.recover();
        else under.primary.health = random(2) === 0 ? 'down' : 'hung';
      }
      await pause(random(6));
    }
    under.primary.recover();
    const answered = await Promise.all(answers);
    if (under.changes.at(-1)?.state !== 'direct') await under.reaches('direct');
    const contents = storedContents(under.dir, 'primary');
    expect(new Set(answered.map(({ status }) => status))).toEqual(new Set(['accepted']));
    expect(contents).toHaveLength(LEADS * ROUNDS);
    for (let lead = 0; lead < LEADS; lead += 1) {
      const of = contents.filter((content) => content.startsWith(`${lead}:`));
      expect(of).toEqual(Array.from({ length: ROUNDS }, (_, n) => `${lead}:${n}`));
    }
    // What was tried has to have happened.
    expect(under.changes.filter(({ state }) => state === 'direct').length).toBeGreaterThan(2);
    expect(under.primary.moved.length).toBeGreaterThan(3);
  });
});
