import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import type { AcceptResult } from '../../src/inbox/store.ts';
import { makeAccept } from '../contract/make-parts.ts';
import { createSpilling, QUICK, type SpillingUnderTest, storedContents } from './spill-support.ts';

const LEADS = [0, 1, 2, 3, 4, 5];
const LEAST_ROUNDS = 300;

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

/** Ends an outage, or begins one. */
function turn(random: (below: number) => number): void {
  if (under.primary.health !== 'up') under.primary.recover();
  else under.primary.health = random(2) === 0 ? 'down' : 'hung';
}

describe('order over outages', () => {
  test.each([1, 2, 3])('holds for each lead with three commits at once (%i)', async (seed) => {
    const random = createRandom(seed);
    const store = await under.open({ times: { ...QUICK, commitLimitMs: 200, gateLimitMs: 40 } });
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
    const returns = (): number => under.changes.filter(({ state }) => state === 'direct').length;
    let rounds = 0;
    // On a busy machine an outage lasts longer, and there have to be some.
    for (; rounds < LEAST_ROUNDS || returns() < 3; rounds += 1) {
      for (const lead of LEADS) {
        answers.push(commits.accept(makeAccept({ content: `${lead}:${rounds}`, lead: `lead-${lead}@one.example` })));
      }
      if (random(12) === 0) turn(random);
      await pause(random(6));
    }
    under.primary.recover();
    const answered = await Promise.all(answers);
    if (under.changes.at(-1)?.state !== 'direct') await under.reaches('direct');
    const contents = storedContents(under.dir, 'primary');
    expect(new Set(answered.map(({ status }) => status))).toEqual(new Set(['accepted']));
    expect(contents).toHaveLength(LEADS.length * rounds);
    for (const lead of LEADS) {
      const of = contents.filter((content) => content.startsWith(`${lead}:`));
      expect(of).toEqual(Array.from({ length: rounds }, (_, n) => `${lead}:${n}`));
    }
  });
});
