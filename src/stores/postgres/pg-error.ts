import { StoreUnavailable } from '../../errors/problem.ts';

/** SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DEADLOCK = '40P01';
const SERIALIZATION = '40001';
const LOCK_NOT_AVAILABLE = '55P03';
/** What insert-entries answers where the chain's head is another than the one remembered: it is read anew. */
const OTHER_HEAD = '22012';
const INVALID_PASSWORD = '28P01';
const INVALID_AUTHORIZATION = '28000';
const NO_SUCH_DATABASE = '3D000';
const NO_PRIVILEGE = '42501';

export function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : undefined;
}

/** The server rolled back for the sake of another transaction; the same again may succeed at once. */
export function isConflict(error: unknown): boolean {
  return [DEADLOCK, SERIALIZATION, LOCK_NOT_AVAILABLE, OTHER_HEAD].includes(sqlState(error) ?? '');
}

/** Whether the connection cannot be used again: the fault is not a statement's own, or the server is ending the session. */
export function isBroken(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || /^(57|08|25|XX)/.test(state);
}

/** What no waiting will mend: a wrong password, a database that is not there. */
export function isRefusal(error: unknown): boolean {
  return [INVALID_PASSWORD, INVALID_AUTHORIZATION, NO_SUCH_DATABASE, NO_PRIVILEGE].includes(sqlState(error) ?? '');
}

/** The server's own words for the fault, or those of the connection; never a value of a row, which stand in `detail`. */
export function toUnavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const state = sqlState(error);
  if (state !== undefined) return new StoreUnavailable(`PostgreSQL answered ${state}: ${messageOf(error)}`);
  return new StoreUnavailable(`PostgreSQL cannot be reached (${codeOf(error) ?? messageOf(error)})`);
}

/** A message quotes names of ours; some quote a value too, always between double quotes after a colon. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : 'unknown fault';
  return message.replace(/: ".*"/s, '');
}

/** `ECONNREFUSED` and the like, without the address. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
