/** A store has its first audit entry in one transaction with its first event. */
export const IS_USED = 'SELECT EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM quarantine) AS used';

/** As many from the start as fit; one at least. */
export function fitBytes<Row extends { readonly bytes: number }>(rows: readonly Row[], bytes: number): Row[] {
  let sum = 0;
  const end = rows.findIndex((row, index) => {
    sum += row.bytes;
    return index > 0 && sum > bytes;
  });
  return end === -1 ? [...rows] : rows.slice(0, end);
}
