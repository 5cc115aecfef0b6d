import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { v7 as uuidv7 } from 'uuid';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import { monotonicMilliseconds } from '../../src/inbox/clock.ts';
import type { Batch, CommitResult, StoreCondition } from '../../src/inbox/store.ts';
import type { SpillChange } from '../../src/stores/spill/intake.ts';
import { openSpill } from '../../src/stores/spill/open-spill.ts';
import type { Parcel } from '../../src/stores/spill/parcel.ts';
import { type PrimaryStore, SpillingStore, type SpillTimes } from '../../src/stores/spill/spilling-store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeBatch, makeDraft } from '../contract/make-parts.ts';

export const AUDIT_KEY = 'an audit key for the tests of the spill';

/** `up`: it works; `down`: every call fails; `hung`: no call is answered until it is up again, when each takes place. */
export type Health = 'up' | 'down' | 'hung';

type Call = 'commit' | 'check' | 'moveIn' | 'auditHeads';

/** A real store whose ways can be cut, and which takes in events as a primary store has to: by id and by key. */
export class PrimaryUnderTest {
  readonly store: PrimaryStore;
  readonly sqlite: SqliteStore;
  readonly moved: Parcel[] = [];
  health: Health = 'up';
  /** Runs before a call takes place, and may reject. */
  before: (call: Call) => Promise<void> = async () => undefined;
  #hung: (() => void)[] = [];

  constructor(sqlite: SqliteStore) {
    this.sqlite = sqlite;
    this.store = Object.assign(Object.create(sqlite) as SqliteStore, {
      commit: (batch: Batch) => this.#reach('commit', (): Promise<CommitResult> => sqlite.commit(batch)),
      check: () => this.#reach('check', (): Promise<StoreCondition> => sqlite.check()),
      auditHeads: () => this.#reach('auditHeads', () => sqlite.auditHeads()),
      onForeignChange: (listener: () => void) => sqlite.onForeignChange(listener),
      openAuditSnapshot: () => sqlite.openAuditSnapshot(),
      // It outlives the processes that use it.
      close: async () => undefined,
      moveIn: (parcel: Parcel) => this.#reach('moveIn', () => this.#moveIn(parcel)),
    });
  }

  /** From now on it answers, first of all the calls that hang. */
  recover(): void {
    this.health = 'up';
    for (const answer of this.#hung.splice(0)) answer();
  }

  async #reach<Result>(call: Call, work: () => Promise<Result>): Promise<Result> {
    if (this.health === 'down') throw new StoreUnavailable('the primary store is down');
    if (this.health === 'hung') await new Promise<void>((resolve) => this.#hung.push(resolve));
    await this.before(call);
    return work();
  }

  async #moveIn(parcel: Parcel): Promise<void> {
    const audit = { draft: makeDraft('test.moved'), startedAt: monotonicMilliseconds() };
    await this.sqlite.commit(makeBatch({ accepts: parcel.events.map((spilled) => ({ ...spilled, audit })) }));
    this.moved.push(parcel);
  }
}

/** Nothing waits longer in a test than it must; what is to take place in time has as long as a busy machine needs. */
export const QUICK: SpillTimes = {
  commitLimitMs: 1_000,
  gateLimitMs: 10_000,
  probeEveryMs: 10,
  probeLimitMs: 10_000,
  moveLimitMs: 10_000,
};

export interface SpillingUnderTest {
  readonly dir: string;
  readonly file: string;
  readonly primary: PrimaryUnderTest;
  readonly changes: SpillChange[];
  /** Another process after the first has ended or is closed. */
  open(options?: { readonly times?: SpillTimes; readonly maxBytes?: number }): Promise<SpillingStore>;
  /** Resolves when the newest store has come to this state. */
  reaches(state: SpillChange['state']): Promise<void>;
  remove(): Promise<void>;
}

export async function createSpilling(): Promise<SpillingUnderTest> {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-spill-'));
  const file = join(dir, 'spill.db');
  const sqlite = await SqliteStore.open({
    file: join(dir, 'primary.db'),
    writer: uuidv7(),
    auditKey: AUDIT_KEY,
    serve: false,
  });
  const primary = new PrimaryUnderTest(sqlite);
  const changes: SpillChange[] = [];
  const opened: SpillingStore[] = [];
  let wake: (() => void)[] = [];
  const onChange = (change: SpillChange): void => {
    changes.push(change);
    for (const look of wake.splice(0)) look();
  };
  return {
    dir,
    file,
    primary,
    changes,
    async open({ times = QUICK, maxBytes = 64 * 1024 * 1024 } = {}) {
      const options = { primary: primary.store, auditKey: AUDIT_KEY, onChange, times };
      const store = await SpillingStore.open({ file, maxBytes, ...options });
      opened.push(store);
      return store;
    },
    async reaches(state) {
      while (changes.at(-1)?.state !== state) await new Promise<void>((resolve) => wake.push(resolve));
    },
    async remove() {
      wake = [];
      await Promise.all(opened.map((store) => store.close()));
      await sqlite.close();
      rmSync(dir, { recursive: true });
    },
  };
}

export function openTestSpill(file: string, maxBytes = 64 * 1024 * 1024): Promise<SqliteStore> {
  return openSpill({ file, maxBytes, auditKey: AUDIT_KEY });
}

/** What is in a store's file, in the order in which it came there. */
export function storedContents(dir: string, name: 'primary' | 'spill'): string[] {
  const db = new DatabaseSync(join(dir, `${name}.db`), { readOnly: true });
  try {
    const rows = db.prepare('SELECT body FROM events ORDER BY seq').all() as { body: Uint8Array }[];
    return rows.map(({ body }) => Buffer.from(body).toString());
  } finally {
    db.close();
  }
}
