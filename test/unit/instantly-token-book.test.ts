import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import {
  EMPTY_BOOK,
  isLeaving,
  isRetired,
  type MintedToken,
  mintedTokensAt,
  parseTokenBook,
  readTokenBook,
  settleBook,
  type TokenBook,
  writeTokenBook,
} from '../../src/instantly/token-book.ts';
import { HEADER, type Luck, World } from '../support/instantly-world.ts';
import { makeFolder } from '../support/start-receiver.ts';
import { createTestStore } from './inbox-support.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 10, 20);
const TOKENS = ['first-token-of-the-settings', 'second-token-of-the-settings'];

const fingerprintOf = (letter: string): string => letter.repeat(32);
const minted = (letter: string, acceptUntil: number | null): MintedToken => ({
  digest: letter.repeat(64),
  fingerprint: fingerprintOf(letter),
  madeAt: NOW,
  acceptUntil,
});
const retirement = (letter: string, acceptUntil: number, isAudited = false): TokenBook['retirements'][number] => ({
  fingerprint: fingerprintOf(letter),
  acceptUntil,
  isAudited,
  mark: null,
});
const known = (letter: string) => ({ fingerprint: fingerprintOf(letter), marks: [], held: [] });

describe('the book of tokens', () => {
  const book: TokenBook = {
    minted: [minted('a', null), minted('b', NOW), minted('c', NOW + 1)],
    retirements: [retirement('d', NOW), retirement('e', NOW + 1), retirement('f', NOW - 1, true)],
    rotation: null,
    isLost: false,
  };

  test('tells who is let in at a time', () => {
    expect(mintedTokensAt(book, NOW).map(({ digest }) => digest[0])).toEqual(['a', 'c']);
    expect(mintedTokensAt(book, NOW - 1)).toHaveLength(3);
    const isOut = (letter: string, now: number): boolean => isRetired(book, known(letter), now);
    expect([isOut('d', NOW - 1), isOut('d', NOW), isOut('e', NOW), isOut('f', NOW), isOut('0', NOW)]).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  test('tells who is to go, or has gone', () => {
    expect([...'abcdef0'].filter((letter) => isLeaving(book, known(letter)))).toEqual([...'bcdef']);
  });

  test('is settled once: what is over is told one time', () => {
    const settled = settleBook(book, NOW);
    expect(settled.retired).toEqual([fingerprintOf('b'), fingerprintOf('d')]);
    expect(settled.book.minted.map(({ digest }) => digest[0])).toEqual(['a', 'c']);
    // The settings hold their tokens still.
    expect(settled.book.retirements.map(({ isAudited }) => isAudited)).toEqual([true, false, true]);
    expect(settleBook(settled.book, NOW)).toEqual({ book: settled.book, retired: [] });
    expect(settleBook(EMPTY_BOOK, NOW)).toEqual({ book: EMPTY_BOOK, retired: [] });
  });

  test('is written by one of those that do at once, and read as it was written', async () => {
    const { store, remove } = await createTestStore();
    expect(await readTokenBook(store)).toEqual({ book: EMPTY_BOOK, version: 0 });
    expect(await writeTokenBook(store, book, 0)).toBe(1);
    await expect(writeTokenBook(store, EMPTY_BOOK, 0)).rejects.toThrow('run the command again');
    expect(await readTokenBook(store)).toEqual({ book, version: 1 });
    await remove();
  });

  test.each(['{}', '{"minted":[],"retirements":[],"rotation":{}}', '{"minted":[{"digest":"text"}]}'])(
    'of another release is not guessed at: %s',
    (text) => {
      expect(() => parseTokenBook(text)).toThrow('a newer release may have written it');
    },
  );
});

let folder: string;
let world: World;

beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

function settingsOf(tokens: readonly string[]): Settings {
  const secrets =
    tokens.length === 0 ? { INSTANTLY_SECRET: 'a-key-of-a-signing-relay' } : { INSTANTLY_WEBHOOK_TOKEN: tokens.join() };
  return loadSettings({ env: { ...secrets, AUDIT_KEY: 'audit-key-of-this-test-0001' }, cwd: folder, create: true });
}

/** Two receivers; the clock and Instantly are the world's from now on. */
async function setWorld(settings: Settings): Promise<void> {
  world = new World(settings);
  jest.spyOn(Date, 'now').mockImplementation(() => world.now);
  await world.start();
  await world.start();
}

/** A command, or something that happens. */
type Happening =
  | { readonly kind: 'rotate'; readonly keepHours: number; readonly isSlow: boolean; readonly luck: readonly Luck[] }
  | { readonly kind: 'register'; readonly name: string; readonly isSlow: boolean; readonly luck: readonly Luck[] }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'start' }
  | { readonly kind: 'pass'; readonly hours: number };

const luck = fc.array(fc.constantFrom<Luck>('done', 'done', 'done', 'done', 'refused', 'lost', 'ignored', 1, 2, 3), {
  maxLength: 14,
});
const isSlow = fc.nat(3).map((n) => n === 0);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('rotate'), keepHours: fc.constantFrom(0, 1, 24), isSlow, luck }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('register'), name: fc.constantFrom('one', 'two'), isSlow, luck }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('refresh') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('start') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass'), hours: fc.nat(12) }) },
);

async function happen(one: Happening): Promise<void> {
  world.isSlow = 'isSlow' in one && one.isSlow;
  if (one.kind === 'rotate') await world.rotate(one.keepHours * HOUR_MS, one.luck);
  else if (one.kind === 'register') await world.register(one.name, one.luck);
  else if (one.kind === 'refresh') await world.refresh(1);
  else if (one.kind === 'start' && world.receivers.length < 4) await world.start();
  else if (one.kind === 'pass') world.pass(one.hours * HOUR_MS);
}

async function refreshAll(): Promise<void> {
  for (const index of world.receivers.keys()) await world.refresh(index);
}

test('a patch that Instantly carries out late, while a rotation tests its token, ends no token that a webhook carries', async () => {
  await setWorld(settingsOf(TOKENS.slice(0, 1)));
  for (const name of ['two', 'one']) expect(await world.register(name, [])).toBeUndefined();
  // Both are patched, and the first test fails.
  expect(await world.rotate(HOUR_MS, ['done', 'done', 'done', 'refused'])).toBeDefined();
  // Sets the token of the settings again, three calls later: at the test of the other webhook.
  expect(await world.register('two', ['done', 3])).toBeDefined();
  await world.rotate(0, []);
  await refreshAll();
  expect(world.refusals()).toEqual([]);
  expect(await world.rotate(0, [])).toBeUndefined();
  await refreshAll();
  expect(world.refusals()).toEqual([]);
});

describe('whatever the order of registrations, rotations, failures and times', () => {
  test.each([[TOKENS.slice(0, 1)], [TOKENS], [[]]])(
    'what a webhook carries is let in by every receiver, with the tokens %j',
    async (tokens) => {
      const settings = settingsOf(tokens);
      await fc.assert(
        fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 14 }), async (happenings) => {
          await setWorld(settings);
          for (const one of happenings) {
            await happen(one);
            expect(world.refusals()).toEqual([]);
            // Some time later, when all have looked.
            const { now } = world;
            await refreshAll();
            expect(world.refusals()).toEqual([]);
            world.now = now;
          }
          expect(world.retired).toEqual([...new Set(world.retired)]);
          // In the end all of it can be put in order.
          world.isSlow = false;
          world.pass(0);
          expect(await world.register('one', [])).toBeUndefined();
          expect(await world.rotate(0, [])).toBeUndefined();
          const carried = new Set(world.webhooks.map(({ headers }) => headers[HEADER]));
          expect(carried.size).toBe(1);
          const { book } = await readTokenBook(world.store);
          expect(book.rotation).toBeNull();
          world.now += 1;
          await refreshAll();
          expect(world.refusals()).toEqual([]);
          for (const token of tokens) {
            for (const receiver of world.receivers) expect(world.isLetIn(receiver, token)).toBe(false);
          }
          expect((await readTokenBook(world.store)).book.minted).toHaveLength(1);
        }),
        { numRuns: 200 },
      );
    },
    120_000,
  );
});
