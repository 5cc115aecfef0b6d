import type { Runner, Statement } from './transaction.ts';

/** In order, as everybody inserts them: two processes that start together wait for each other and never in a circle. */
const REMEMBER: Statement = {
  name: 'remember-secrets',
  text: `INSERT INTO secrets_seen (fingerprint, first_seen_at)
    SELECT DISTINCT f.fingerprint, $2::bigint FROM unnest($1::text[]) AS f (fingerprint) ORDER BY 1
    ON CONFLICT DO NOTHING`,
};

const READ: Statement = {
  name: 'secrets-first-seen',
  text: 'SELECT fingerprint, first_seen_at FROM secrets_seen WHERE fingerprint = ANY ($1::text[])',
};

/** Inside a transaction or not: each statement by itself leaves nothing half done. */
export async function readFirstSeen(
  runner: Runner,
  fingerprints: readonly string[],
  now: number,
): Promise<Map<string, number>> {
  await runner.all(REMEMBER, fingerprints, now);
  return findFirstSeen(runner, fingerprints);
}

export async function findFirstSeen(runner: Runner, fingerprints: readonly string[]): Promise<Map<string, number>> {
  const rows = await runner.all<{ fingerprint: string; first_seen_at: number }>(READ, fingerprints);
  return new Map(rows.map(({ fingerprint, first_seen_at: at }) => [fingerprint, at]));
}
