import type pg from 'pg';

/** A statement of the program: prepared once on each connection, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export type Value = string | number | boolean | null | Uint8Array | readonly (string | number | boolean | null)[];

/** What runs statements: inside a transaction or each by itself. */
export interface Runner {
  all<Row>(statement: Statement, ...values: Value[]): Promise<Row[]>;
}

/** The connection was lost, or did not answer, while the end of a transaction was on its way: it may have been committed. */
export class UnknownOutcome extends Error {
  constructor(cause: unknown) {
    super('it is not known whether the transaction was committed', { cause });
  }
}

export function runOn(client: pg.ClientBase): Runner {
  return {
    async all<Row>({ name, text }: Statement, ...values: Value[]): Promise<Row[]> {
      const { rows } = await client.query({ name, text, values });
      // The statement's author says what its rows are, as with any SQL.
      return rows as Row[];
    },
  };
}

/**
 * Runs `work` inside a transaction (READ COMMITTED: each statement sees what was committed before it, which the locks taken
 * in earlier ones rely on). The last statement may be handed over as `last`: it then travels with the COMMIT.
 *
 * @throws UnknownOutcome; else nothing of the transaction has happened
 */
export async function transact<Result>(
  client: pg.ClientBase,
  work: (runner: Runner, last: (statement: Statement, ...values: Value[]) => void) => Promise<Result>,
): Promise<Result> {
  const pending: Promise<unknown>[] = [];
  const begun = client.query('BEGIN');
  begun.catch(() => undefined);
  let result: Result;
  try {
    const runner = runOn(client);
    result = await work(runner, (statement, ...values) => {
      const sent = runner.all(statement, ...values);
      sent.catch(() => undefined);
      pending.push(sent);
    });
    await begun;
  } catch (error) {
    await rollBack(client);
    throw error;
  }
  await commit(client, pending);
  return result;
}

async function commit(client: pg.ClientBase, pending: readonly Promise<unknown>[]): Promise<void> {
  const committing = client.query('COMMIT');
  committing.catch(() => undefined);
  try {
    await Promise.all(pending);
  } catch (error) {
    // The last statement failed, so the COMMIT behind it was a rollback; or the connection did.
    await committing.then(
      () => undefined,
      (fault: unknown) => {
        throw new UnknownOutcome(fault);
      },
    );
    throw error;
  }
  try {
    const { command } = await committing;
    // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and no error.
    if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`);
  } catch (error) {
    throw new UnknownOutcome(error);
  }
}

async function rollBack(client: pg.ClientBase): Promise<void> {
  // Where the connection is lost, so is the transaction.
  await client.query('ROLLBACK').catch(() => undefined);
}
