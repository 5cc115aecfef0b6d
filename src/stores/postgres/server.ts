import pg from 'pg';
import { StoreUnavailable } from '../../errors/problem.ts';
import { checkSession } from './check-session.ts';
import { type ConnectOptions, clientConfig, connect, endConnection, keepDurable } from './connect.ts';
import { migrate } from './migrate.ts';
import { toUnavailable } from './pg-error.ts';
import { type Runner, runOn } from './transaction.ts';
import { refuseUnfinishedCopy } from './unfinished-copy.ts';

const QUICK_CONNECTIONS = 4;
const SLOW_CONNECTIONS = 2;
/** Milliseconds for what nobody's answer waits for. */
const SLOW_LIMIT_MS = 600_000;
const MIGRATE_LIMIT_MS = 600_000;
/** Milliseconds for the connections to end. */
const CLOSE_LIMIT_MS = 1_000;

/** Ways to the server. The schema is in place before the first of them is used, whenever the server comes. */
export class Server {
  readonly #url: string;
  readonly #onFirst: ((runner: Runner) => Promise<void>) | undefined;
  readonly #quick: pg.Pool;
  readonly #slow: pg.Pool;
  /** One attempt serves all who ask meanwhile. */
  #migrating: Promise<void> | undefined;
  #isMigrated = false;
  #isClosed = false;

  /** @param onFirst looks at what is there before anything else does; what it throws keeps everything from being used */
  constructor(url: string, onFirst?: (runner: Runner) => Promise<void>) {
    this.#url = url;
    this.#onFirst = onFirst;
    this.#quick = createPool({ url }, QUICK_CONNECTIONS);
    this.#slow = createPool({ url, statementMs: SLOW_LIMIT_MS }, SLOW_CONNECTIONS);
  }

  /** A connection of one's own. @throws StoreUnavailable */
  async connect(options: Omit<ConnectOptions, 'url'> = {}): Promise<pg.Client> {
    await this.#ready();
    try {
      return await connect({ url: this.#url, ...options });
    } catch (error) {
      throw toUnavailable(error);
    }
  }

  /** A pooled connection while `work` runs; one whose work has failed is not used again. */
  async use<Result>(
    work: (client: pg.ClientBase) => Promise<Result>,
    pace: 'quick' | 'slow' = 'quick',
  ): Promise<Result> {
    await this.#ready();
    let client: pg.PoolClient;
    try {
      client = await (pace === 'quick' ? this.#quick : this.#slow).connect();
    } catch (error) {
      throw toUnavailable(error);
    }
    let fault: unknown;
    try {
      return await work(client);
    } catch (error) {
      fault = error;
      throw error;
    } finally {
      client.release(fault !== undefined);
    }
  }

  /** The same for single statements. */
  async read<Result>(work: (runner: Runner) => Promise<Result>, pace?: 'quick' | 'slow'): Promise<Result> {
    try {
      return await this.use((client) => work(runOn(client)), pace);
    } catch (error) {
      throw toUnavailable(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = Promise.all([this.#quick.end(), this.#slow.end()]);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, CLOSE_LIMIT_MS).unref())]);
  }

  async #ready(): Promise<void> {
    if (this.#isClosed) throw new StoreUnavailable('the store is closed');
    if (this.#isMigrated) return;
    this.#migrating ??= this.#migrate().finally(() => {
      this.#migrating = undefined;
    });
    await this.#migrating;
  }

  async #migrate(): Promise<void> {
    let client: pg.Client | undefined;
    try {
      client = await connect({ url: this.#url, statementMs: MIGRATE_LIMIT_MS });
      await checkSession(client, () => connect({ url: this.#url }));
      await migrate(client);
      await refuseUnfinishedCopy(client);
      await this.#onFirst?.(runOn(client));
      this.#isMigrated = true;
    } catch (error) {
      throw toUnavailable(error);
    } finally {
      if (client !== undefined) await endConnection(client);
    }
  }
}

function createPool(options: ConnectOptions, max: number): pg.Pool {
  const pool = new pg.Pool({ ...clientConfig(options), max, idleTimeoutMillis: 60_000, onConnect: keepDurable });
  // Without listeners the loss of a connection would end the process. An idle one: who asks next gets another. One in use,
  // to which the pool does not listen itself: its query says so.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
