import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { askBroker, type ServerAddress } from './postgres-broker.ts';
import { OWNER } from './postgres-server.ts';

export interface TestDatabase {
  /** As a receiver is given it: of a role that owns this database and may do nothing else. */
  readonly url: string;
  /** Of the superuser, to the same database. */
  readonly adminUrl: string;
  /** Statements of the superuser, behind the store's back. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Ends the session that the statements ran in. */
  close(): Promise<void>;
  /** Ends every session in it and removes it. */
  drop(): Promise<void>;
}

/** A new, empty database on the server of this run of jest, or on one of one's own. */
export async function createTestDatabase(server?: ServerAddress): Promise<TestDatabase> {
  const { admin, owner } = server ?? (await askBroker());
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runOnce(`${admin}postgres`, `CREATE DATABASE ${name} OWNER ${OWNER}`);
  const adminUrl = `${admin}${name}`;
  const session = new Session(adminUrl);
  return {
    url: `${owner}${name}`,
    adminUrl,
    query: (sql, values) => session.query(sql, values),
    close: () => session.close(),
    drop: async () => {
      await session.close();
      await runOnce(`${admin}postgres`, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** A connection that is made when it is needed, and anew where the server was away. */
class Session {
  readonly #url: string;
  #client: Promise<pg.Client> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    this.#client ??= this.#connect();
    return (await (await this.#client).query<Row>(sql, [...values])).rows;
  }

  async close(): Promise<void> {
    await (await this.#client)?.end();
  }

  async #connect(): Promise<pg.Client> {
    const forget = (): void => {
      this.#client = undefined;
    };
    try {
      const client = await connectTo(this.#url);
      client.once('end', forget);
      return client;
    } catch (error) {
      forget();
      throw error;
    }
  }
}

async function runOnce(url: string, sql: string): Promise<void> {
  const client = await connectTo(url);
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function connectTo(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  // What ends a session is told at its next statement.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
