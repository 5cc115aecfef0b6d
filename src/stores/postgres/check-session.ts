import type pg from 'pg';
import { newId } from '../../audit/new-id.ts';
import { SettingsError } from '../../errors/problem.ts';
import { endConnection } from './connect.ts';
import { runOn, type Statement } from './transaction.ts';

/** A pooler that chooses sessions at random may choose the same one twice. */
const ROUNDS = 3;

const LOCK: Statement = { name: 'check-session-lock', text: 'SELECT pg_advisory_lock(hashtextextended($1, 0))' };
const UNLOCK: Statement = { name: 'check-session-unlock', text: 'SELECT pg_advisory_unlock(hashtextextended($1, 0))' };
const PREPARED: Statement = { name: 'check-session-prepared', text: 'SELECT 1' };
/** Not prepared, because some poolers carry prepared statements from session to session. */
const LOOK = `SELECT pg_backend_pid() AS pid,
  EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locked,
  EXISTS (SELECT FROM pg_listening_channels()) AS listening`;

interface Look {
  readonly pid: number;
  readonly locked: boolean;
  readonly listening: boolean;
}

/**
 * Leases, notifications and prepared statements live in sessions. Behind a pooler that gives each transaction any session,
 * they vanish now and then: deliveries would run twice or wait, long after a start that looked well.
 *
 * @param connectOther gives a second connection; while its transaction is open, a pooler has to give `client` another session
 * @throws SettingsError where a session does not last
 */
export async function checkSession(client: pg.Client, connectOther: () => Promise<pg.Client>): Promise<void> {
  const runner = runOn(client);
  const lock = `instantly receiver: check of a session ${newId()}`;
  await runner.all(LOCK, lock);
  await client.query('LISTEN instantly_receiver_check');
  const first = await look(client);
  const other = await connectOther();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await other.query('BEGIN');
      const { pid } = await look(other);
      // Not asked where the other has its session: a pool of one would keep the question waiting.
      const lasts = pid !== first.pid && isSame(first, await look(client));
      await other.query('ROLLBACK');
      if (!lasts) throw poolerFault();
      await runner.all(PREPARED);
    }
  } finally {
    await endConnection(other);
  }
  await runner.all(UNLOCK, lock);
  await client.query('UNLISTEN instantly_receiver_check');
}

async function look(client: pg.Client): Promise<Look> {
  const { rows } = await client.query<Look>(LOOK);
  const [found] = rows;
  if (found === undefined) throw new Error('PostgreSQL gave no row');
  return found;
}

function isSame(first: Look, { pid, locked, listening }: Look): boolean {
  return pid === first.pid && locked && listening;
}

function poolerFault(): SettingsError {
  return new SettingsError([
    'DATABASE_URL: a connection pooler stands before PostgreSQL that does not keep sessions (transaction mode): locks, notifications and prepared statements would be lost; connect to PostgreSQL itself, or to a pool in session mode',
  ]);
}
