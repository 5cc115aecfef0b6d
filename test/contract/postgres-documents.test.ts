import { expect, test } from '@jest/globals';
import { untilWaiting, usePostgres } from './postgres-rig.ts';

/** As many as a store has connections for. */
const WRITERS = 4;

const CREATE = `INSERT INTO documents VALUES ('cursor', 'another process', 1, 0)`;
const REPLACE = `UPDATE documents SET text = 'another process', version = version + 1 WHERE name = 'cursor'`;

const rig = usePostgres();

/** Gives how many of eight have written, in two processes, all of which meet a transaction that is under way. */
async function meet(version: number | null, under: string, end: 'COMMIT' | 'ROLLBACK'): Promise<number> {
  const stores = [await rig.open(), await rig.open()];
  if (version !== 0) await stores[0]?.writeDocument('cursor', 'first', 0);
  const all = <Result>(work: (store: (typeof stores)[number], n: number) => Promise<Result>): Promise<Result[]> =>
    Promise.all(stores.flatMap((store, s) => Array.from({ length: WRITERS }, (_, n) => work(store, s * WRITERS + n))));
  // From here on every writer has its connection, and none waits for the lock for longer than it may.
  await all((store) => store.readDocument('cursor'));
  await rig.database.query('BEGIN');
  await rig.database.query(under);
  const written = all((store, n) => store.writeDocument('cursor', `${n}`, version));
  await untilWaiting(rig.database, stores.length * WRITERS);
  await rig.database.query(end);
  const winners = (await written).flatMap((won, n) => (won ? [`${n}`] : []));
  const document = await stores[0]?.readDocument('cursor');
  const stands = (version === 0 ? 0 : 1) + (end === 'COMMIT' ? 1 : 0);
  expect(document?.version).toBe(stands + winners.length);
  expect(winners.length === 0 ? ['another process'] : winners).toContain(document?.text);
  return winners.length;
}

test.each([
  ['of those that create it one does, where whoever was first gives up', 0, CREATE, 'ROLLBACK', 1],
  ['and none where it does not', 0, CREATE, 'COMMIT', 0],
  ['of those that write over a version one does, where whoever was first gives up', 1, REPLACE, 'ROLLBACK', 1],
  ['and none where it does not', 1, REPLACE, 'COMMIT', 0],
  ['all that write over whatever is there do, one after the other', null, REPLACE, 'COMMIT', 8],
] as const)('%s', async (_name, version, under, end, winners) => {
  expect(await meet(version, under, end)).toBe(winners);
});
