import { type LastingFault, RowRefused, SettingsError, StoreUnavailable } from '../../errors/problem.ts';
import { findLastingFault } from './lasting-fault.ts';

/** SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DEADLOCK = '40P01';
const SERIALIZATION = '40001';
const LOCK_NOT_AVAILABLE = '55P03';
/** What insert-entries answers where the chain's head is another than the one remembered: it is read anew. */
const OTHER_HEAD = '22012';

const UNFIT: LastingFault = {
  what: 'the database cannot be used as it is',
  fix: 'do as the message says, and start again',
};

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

/** A value that does not fit, a constraint that it breaks, an index entry that is too large, a trigger that refuses it. */
function isRowFault(state: string | undefined): boolean {
  return state !== undefined && state !== OTHER_HEAD && /^(22...|23...|54000|P0001|44000)$/.test(state);
}

/** The server's own words for the fault, or those of the connection; never a value of a row, which stand in `detail`. */
export function toUnavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  if (error instanceof SettingsError) return new StoreUnavailable(error.message, { lasting: UNFIT, cause: error });
  const lasting = findLastingFault(error);
  const state = sqlState(error);
  if (isRowFault(state)) return new RowRefused(`PostgreSQL answered ${state}: ${messageOf(error)}`);
  if (state !== undefined)
    return new StoreUnavailable(`PostgreSQL answered ${state}: ${messageOf(error)}`, { lasting });
  return new StoreUnavailable(`PostgreSQL cannot be reached (${codeOf(error) ?? messageOf(error)})`, { lasting });
}

/** The same, for where waiting makes no sense. @returns SettingsError where it does not help */
export function toStartFault(error: unknown): SettingsError | StoreUnavailable {
  if (error instanceof SettingsError) return error;
  const unavailable = toUnavailable(error);
  if (unavailable.cause instanceof SettingsError) return unavailable.cause;
  const { message, lasting } = unavailable;
  return lasting === undefined
    ? unavailable
    : new SettingsError([`DATABASE_URL: ${lasting.what} (${message}); ${lasting.fix}`]);
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
