import type pg from 'pg';
import type { ChainHead } from '../../audit/entry.ts';
import { AuditLane, type LaneOptions, type Left } from './audit-lane.ts';
import type { OpenChain } from './open-chain.ts';
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
  constructor(server: Server, options: LaneOptions, statementMs?: number) {
    this.#server = server;
    this.#statementMs = statementMs;
    this.#audit = new AuditLane(options);
  }

  /**
   * Runs a transaction that ends with its audit entries. Where the connection is lost on the way of the COMMIT, the server
   * is asked what became of it.
   *
   * @throws UnknownOutcome where the server cannot be asked; else nothing of it has happened
   */
  async run<Result>(work: LaneWork<Result>): Promise<LaneResult<Result>> {
    const client = await this.#connected();
    let tried: { result: Result; head: ChainHead; left: Left } | undefined;
    try {
      const { result, head, left } = await transact(client, async (runner, last) => {
        const chain = await this.#audit.open(runner, Date.now());
        const done = await work(runner, chain, this.#audit);
        const { statements, ...closed } = chain.close();
        tried = { result: done, ...closed };
        for (const { statement, values } of statements) last(statement, ...values);
        return tried;
      });
      this.#audit.committed(left);
      return { result, head };
    } catch (error) {
      this.#audit.forget();
      if (isBroken(error)) this.drop();
      if (!(error instanceof UnknownOutcome) || tried === undefined) throw error;
      if (!(await this.#hasCommitted(tried.left, error))) throw error.cause;
      this.#audit.committed(tried.left);
      return { result: tried.result, head: tried.head };
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

  async #hasCommitted(left: Left, doubt: UnknownOutcome): Promise<boolean> {
    try {
      const client = await this.#connected();
      return await transact(client, (runner) => this.#audit.hasCommitted(runner, left));
    } catch {
      // Neither yes nor no: whoever sends the batch again does so with the same ids.
      this.drop();
      throw doubt;
    }
  }
}
