/** https://www.sqlite.org/rescode.html */
const CODES = { BUSY: 5, READONLY: 8, FULL: 13 } as const;

/** Whether an error is SQLite's own with this primary result code; extended ones have more in the higher bits. */
export function isSqliteError(error: unknown, code: keyof typeof CODES): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === CODES[code]
  );
}
