/** https://www.sqlite.org/rescode.html */
const CODES = { BUSY: 5, READONLY: 8, FULL: 13, TOOBIG: 18, CONSTRAINT: 19, MISMATCH: 20 } as const;

/** Whether an error is SQLite's own with this primary result code; extended ones have more in the higher bits. */
export function isSqliteError(error: unknown, code: keyof typeof CODES): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === CODES[code]
  );
}

/** Whether the fault lies in a row: what it says breaks a constraint, is too large, or is no value of SQLite's. */
export function isRowFault(error: unknown): boolean {
  if (isSqliteError(error, 'CONSTRAINT') || isSqliteError(error, 'TOOBIG') || isSqliteError(error, 'MISMATCH'))
    return true;
  return error instanceof Error && 'code' in error && /^ERR_(INVALID_ARG|OUT_OF_RANGE)/.test(String(error.code));
}
