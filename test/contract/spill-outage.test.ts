import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import type { AcceptResult } from '../../src/inbox/store.ts';
import type { SpillChange } from '../../src/stores/spill/intake.ts';
import { SpillingStore } from '../../src/stores/spill/spilling-store.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { makeAccept } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';
import { AUDIT_KEY } from './store-contract.ts';

const LEADS = [0, 1, 2, 3];
const MB = 1024 * 1024;

const rig = usePostgres();
let folder: GuardedFolder;
let proxy: PostgresProxy;
let store: SpillingStore;
let senders: Senders;

beforeEach(async () => {
  folder = guardFolder('receiver-spill-');
  proxy = await PostgresProxy.open(Number(new URL(rig.database.url).port));
});
afterEach(async () => {
  senders.end();
  await store.close();
  await proxy.close();
  await folder.remove();
});

/** Sends events of a few leads, without end and without waiting for one before the next. */
class Senders {
  readonly #commits: GroupCommit;
  readonly #answers: Promise<AcceptResult>[] = [];
  #rounds = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(store: SpillingStore) {
    this.#commits = new GroupCommit({
      store,
      maxQueued: 100_000,
      maxBatch: 20,
      maxInFlight: 3,
      takeAudits: () => [],
      lostAudits: () => undefined,
    });
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (; !this.#isOver; this.#rounds += 1) {
      for (const lead of LEADS) {
        const content = `${lead}:${this.#rounds}`;
        this.#answers.push(this.#commits.accept(makeAccept({ content, lead: `lead-${lead}@one.example` })));
      }
      await pause(5);
    }
  }

  end(): void {
    this.#isOver = true;
  }

  /** All answers, each of which said that the event is kept. */
  async stop(): Promise<{ rounds: number; ids: string[] }> {
    this.end();
    await this.#running;
    const answers = await Promise.all(this.#answers);
    return { rounds: this.#rounds, ids: answers.map(({ id }) => id) };
  }
}

async function lookFor(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it did not come true: ${what}`);
    await pause(20);
  }
}

test('whatever the network does, each event that was answered is there once, in order, and the log is sound', async () => {
  const changes: SpillChange[] = [];
  const primary = await rig.open({ url: proxy.through(rig.database.url) });
  store = await SpillingStore.open({
    primary,
    file: join(folder.path, 'spill.db'),
    maxBytes: 64 * MB,
    auditKey: AUDIT_KEY,
    onChange: (change) => changes.push(change),
    times: { commitLimitMs: 1_000, probeEveryMs: 50, moveLimitMs: 3_000 },
  });
  const returns = (): number => changes.filter(({ state }) => state === 'direct').length;
  const isSpilling = (): boolean => changes.length > 0 && changes.at(-1)?.state !== 'direct';
  senders = new Senders(store);
  try {
    await pause(200);
    // A partition: what was on its way may still arrive when it is over.
    proxy.freeze();
    await lookFor('the spill is used', isSpilling);
    await lookFor('much is in the spill', () => store.spilledEvents > 1_000);
    proxy.thaw();
    await lookFor('the spill is empty', () => returns() === 1);
    // A commit that nobody hears the end of, while nothing else gets through either.
    const isCut = proxy.cutNextCommit('after');
    await isCut;
    proxy.freeze();
    proxy.cutAll();
    await lookFor('the spill is used again', isSpilling);
    // One in the middle of the moves.
    proxy.thaw();
    await lookFor('it is being moved', () => changes.at(-1)?.state !== 'spilling');
    proxy.cutAll();
    await lookFor('the spill is empty again', () => !isSpilling());
  } finally {
    proxy.thaw();
  }
  const { rounds, ids } = await senders.stop();
  await lookFor('the spill is empty at last', () => !isSpilling());
  await store.close();

  const rows = await rig.database.query<{ id: string; body: Buffer }>('SELECT id, body FROM events ORDER BY seq');
  const contents = rows.map(({ body }) => body.toString());
  expect(contents).toHaveLength(rounds * LEADS.length);
  for (const lead of LEADS) {
    const of = contents.filter((content) => content.startsWith(`${lead}:`));
    expect(of).toEqual(Array.from({ length: rounds }, (_, n) => `${lead}:${n}`));
  }
  expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(ids));
  expect(returns()).toBeGreaterThan(1);
  await rig.soundAudit();
}, 120_000);
