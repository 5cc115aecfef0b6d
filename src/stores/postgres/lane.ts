import type { KeyObject } from 'node:crypto';
import type pg from 'pg';
import type { ChainHead } from '../../audit/entry.ts';
import { AuditLane, type OpenChain } from './audit-lane.ts';
import { isBroken } from './pg-error.ts';
import type { Server } from './server.ts';
import { type Runner, transact, UnknownOutcome } from './transaction.ts';

export type LaneWork<Result> = (runner: Runner, chain: OpenChain, lane: AuditLane) => Promise<Result>;

export interface LaneResult<Result> {
  readonly result: Result;
  /** The chain's head after this transaction. */
  readonly head: ChainHead;
}

/** One connection with a chain of its own, used for one transaction at a time. */
export class Lane {
  readonly #server: Server;
  readonly #statementMs: number | undefined;
  readonly #audit: AuditLane;
  #client: pg.Client | undefined;

  /** @param statementMs milliseconds for one statement */
  constructor(server: Server, writer: string, key: KeyObject, statementMs?: number) {
    this.#server = server;
    this.#statementMs = statementMs;
    this.#audit = new AuditLane(writer, key);
  }

  /**
   * Runs a transaction that ends with its audit entries. Where the connection is lost on the way of the COMMIT, the server
   * is asked what became of it.
   *
   * @throws UnknownOutcome where the server cannot be asked; else nothing of it has happened
   */
  async run<Result>(work: LaneWork<Result>): Promise<LaneResult<Result>> {
    const client = await this.#connected();
    let tried: { result: Result; place: OpenChain['place'] } | undefined;
    try {
      const { result, place } = await transact(client, async (runner, last) => {
        const chain = await this.#audit.open(runner, Date.now());
        const done = await work(runner, chain, this.#audit);
        const { statement, values } = chain.close();
        tried = { result: done, place: chain.place };
        last(statement, ...values);
        return tried;
      });
      this.#audit.committed(place);
      return { result, head: place.head };
    } catch (error) {
      this.#audit.forget();
      if (isBroken(error)) this.drop();
      if (!(error instanceof UnknownOutcome) || tried === undefined) throw error;
      if (!(await this.#hasCommitted(tried.place, error))) throw error.cause;
      this.#audit.committed(tried.place);
      return { result: tried.result, head: tried.place.head };
    }
  }

  /** Ends the connection; the next transaction makes a new one. */
  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    void client?.end().catch(() => undefined);
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client === undefined) {
      const client = await this.#server.connect(
        this.#statementMs === undefined ? {} : { statementMs: this.#statementMs },
      );
      client.once('end', () => {
        if (this.#client === client) this.#client = undefined;
      });
      this.#client = client;
    }
    return this.#client;
  }

  async #hasCommitted(place: OpenChain['place'], doubt: UnknownOutcome): Promise<boolean> {
    try {
      const client = await this.#connected();
      return await transact(client, (runner) => this.#audit.hasCommitted(runner, place));
    } catch {
      // Neither yes nor no: whoever sends the batch again does so with the same ids.
      this.drop();
      throw doubt;
    }
  }
}
