import pg from 'pg';

/** Milliseconds to make a connection, for one statement, to wait for a lock, and for an answer that does not come. */
const CONNECT_LIMIT_MS = 2_000;
const STATEMENT_LIMIT_MS = 5_000;
const LOCK_LIMIT_MS = 1_500;
const ANSWER_LIMIT_MS = 6_000;
/** Milliseconds that a transaction may wait for us: a process that is frozen must not keep its locks. */
const IDLE_LIMIT_MS = 10_000;

const END_LIMIT_MS = 500;
/** Milliseconds of silence after which the kernel asks whether the other side is there. */
const KEEP_ALIVE_MS = 10_000;

/** https://www.postgresql.org/docs/current/catalog-pg-type.html */
const INT8 = 20;

export interface ConnectOptions {
  /** With the password. */
  readonly url: string;
  /** Milliseconds for one statement. Default: 5,000. */
  readonly statementMs?: number;
  /** Milliseconds for an answer to come; what is broken off there may still happen. Default: 6,000. */
  readonly answerMs?: number;
}

/** One open connection. Rejects where it cannot be made within 2 s. The caller listens for `error` and ends it. */
export async function connect(options: ConnectOptions): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(options));
  // Without a listener the loss of a connection would end the process; who uses it next is told by its query.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await keepDurable(client);
    return client;
  } catch (error) {
    await endConnection(client);
    throw error;
  }
}

/** Never rejects, and waits no longer than half a second: a server that is frozen closes nothing. */
export async function endConnection(client: pg.Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, END_LIMIT_MS);
  });
  await Promise.race([client.end().catch(() => undefined), over]);
  clearTimeout(timer);
}

export function clientConfig({ url, statementMs = STATEMENT_LIMIT_MS, answerMs }: ConnectOptions): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'instantly-webhook-receiver',
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    statement_timeout: statementMs,
    query_timeout: answerMs ?? Math.max(ANSWER_LIMIT_MS, statementMs + 1_000),
    lock_timeout: LOCK_LIMIT_MS,
    idle_in_transaction_session_timeout: Math.max(IDLE_LIMIT_MS, statementMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // Statements that do not need each other's results go out together.
    pipeline: true,
    types: { getTypeParser },
  };
}

/** An event is answered 200 once it is on the server's disk, whatever the server's own default says. Stronger settings
 * (a synchronous standby) are left as they are. */
export async function keepDurable(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ synchronous_commit: string }>('SHOW synchronous_commit');
  if (rows[0]?.synchronous_commit === 'off') await client.query('SET synchronous_commit = on');
}

/** Counts and times fit a double; hashes, which do not, never leave the server. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text');
