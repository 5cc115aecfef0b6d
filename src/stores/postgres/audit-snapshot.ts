import type pg from 'pg';
import type { AuditEntry } from '../../audit/entry.ts';
import { StoreUnavailable } from '../../errors/problem.ts';
import type { AuditPosition, AuditSnapshot, BodyLimits, BodyPosition } from '../../inbox/store.ts';
import { toEntry } from '../audit-row.ts';
import { endConnection } from './connect.ts';
import { toUnavailable } from './pg-error.ts';
import type { Server } from './server.ts';
import { describeLog, listChains, type NamedChain, readBodies, readPage } from './snapshot-pages.ts';
import { type Runner, runOn } from './transaction.ts';

/** Each keeps the server from clearing away what was deleted since it was opened. */
const MAX_OPEN = 4;
/** Milliseconds for one page. */
const PAGE_LIMIT_MS = 60_000;
/** Milliseconds that whoever reads may take between two pages. */
const IDLE_LIMIT_MS = 600_000;

/** Views of the log as it stood when each was opened, each on a connection of its own. */
export class AuditSnapshots {
  readonly #server: Pick<Server, 'connect'>;
  readonly #open = new Set<OpenSnapshot>();
  #opening = 0;
  #isClosed = false;

  constructor(server: Pick<Server, 'connect'>) {
    this.#server = server;
  }

  /** @throws StoreUnavailable; SettingsError where waiting will not help */
  async open(): Promise<AuditSnapshot> {
    if (this.#open.size + this.#opening >= MAX_OPEN) throw new StoreUnavailable('too many snapshots are open');
    this.#opening += 1;
    try {
      const client = await this.#server.connect({ statementMs: PAGE_LIMIT_MS });
      const snapshot = await OpenSnapshot.begin(client);
      if (this.#isClosed) {
        await snapshot.close();
        throw new StoreUnavailable('the store is closed');
      }
      this.#open.add(snapshot);
      // Also where the server ended it, because nobody has read for so long.
      client.once('end', () => this.#open.delete(snapshot));
      return snapshot;
    } finally {
      this.#opening -= 1;
    }
  }

  async closeAll(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open].map((snapshot) => snapshot.close()));
  }
}

class OpenSnapshot implements AuditSnapshot {
  readonly #client: pg.Client;
  readonly #chains: readonly NamedChain[];
  #isClosed = false;

  private constructor(client: pg.Client, chains: readonly NamedChain[]) {
    this.#client = client;
    this.#chains = chains;
  }

  static async begin(client: pg.Client): Promise<OpenSnapshot> {
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(`SET LOCAL idle_in_transaction_session_timeout = ${IDLE_LIMIT_MS}`);
      return new OpenSnapshot(client, await listChains(runOn(client)));
    } catch (error) {
      await endConnection(client);
      throw toUnavailable(error);
    }
  }

  read(after: AuditPosition | undefined, limit: number): Promise<AuditEntry[]> {
    return this.#use(async (runner) => {
      const entries: AuditEntry[] = [];
      for (const chain of this.#chains) {
        if (entries.length >= limit) break;
        if (after !== undefined && chain.writer < after.writer) continue;
        const start = chain.writer === after?.writer ? after.seq : Number.MIN_SAFE_INTEGER;
        const rows = await readPage(runner, chain, start, limit - entries.length);
        for (const row of rows) entries.push(toEntry(row));
      }
      return entries;
    });
  }

  bodies = (after: BodyPosition | undefined, limits: BodyLimits) =>
    this.#use((runner) => readBodies(runner, after, limits));
  describe = () => this.#use(describeLog);

  async #use<Result>(work: (runner: Runner) => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new StoreUnavailable('that snapshot is closed');
    try {
      return await work(runOn(this.#client));
    } catch (error) {
      // After a fault the transaction is over, and another would show another state.
      await this.close();
      throw toUnavailable(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await endConnection(this.#client);
  }
}
