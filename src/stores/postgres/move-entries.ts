import type { ChainHead } from '../../audit/entry.ts';
import { CHAIN_START, followsOf } from '../../audit/link-chains.ts';
import { RowRefused } from '../../errors/problem.ts';
import type { SpilledEntry } from '../spill/parcel.ts';
import { SQL } from './audit-statements.ts';
import { toText } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

export const LOCK_STARTS = SQL.lockStarts;

const MAKE_CHAINS: Statement = {
  name: 'make-moved-chains',
  text: `INSERT INTO audit_chains (writer, seq, hash) SELECT writer, 0, '' FROM unnest($1::text[]) AS i (writer) ORDER BY writer
    ON CONFLICT (writer) DO NOTHING`,
};

const LOCK_CHAINS: Statement = {
  name: 'lock-moved-chains',
  text: 'SELECT chain, writer FROM audit_chains WHERE writer = ANY ($1::text[]) ORDER BY writer FOR UPDATE',
};

/** Byte for byte, whether their hashes hold or not: verification says so here as it would have there. */
const INSERT: Statement = {
  name: 'move-entries',
  text: `INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
    SELECT i.chain, i.seq, i.id, i.timestamp, i.action, i.user_id, i.resource, i.result, i.metadata,
        decode(i.prev_hash, 'hex'), decode(i.hash, 'hex')
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
          $10::text[], $11::text[])
        WITH ORDINALITY AS i (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash, n)
      ORDER BY i.n
    ON CONFLICT (chain, seq) DO NOTHING`,
};

/** A statement of its own, so that it sees what another transaction has committed while INSERT waited for it. */
const FIND_OTHERS: Statement = {
  name: 'find-other-entries',
  text: `SELECT i.chain, i.seq FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS i (chain, seq, hash)
    JOIN audit_entries a ON a.chain = i.chain AND a.seq = i.seq WHERE a.hash <> decode(i.hash, 'hex') LIMIT 1`,
};

const RAISE_HEADS: Statement = {
  name: 'raise-heads',
  text: `UPDATE audit_chains c SET seq = i.seq, hash = decode(i.hash, 'hex')
    FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS i (chain, seq, hash) WHERE c.chain = i.chain AND c.seq < i.seq`,
};

/** Only what is here already: a name must not hide a head that is still to come. */
const NAME_HEADS: Statement = {
  name: 'name-moved-heads',
  text: `INSERT INTO audit_names (chain, named_seq, named_by)
    SELECT c.chain, max(i.seq), $3::bigint FROM unnest($1::text[], $2::bigint[]) AS i (writer, seq)
      JOIN audit_chains c ON c.writer = i.writer AND c.seq >= i.seq GROUP BY c.chain ORDER BY c.chain
    ON CONFLICT (chain) DO UPDATE SET named_seq = excluded.named_seq, named_by = excluded.named_by
      WHERE audit_names.named_seq < excluded.named_seq`,
};

export function hasChainStart(entries: readonly SpilledEntry[]): boolean {
  return entries.some(({ action }) => action === CHAIN_START);
}

/** Inside a transaction; where a chain starts among them, under LOCK_STARTS. */
export async function moveEntries(runner: Runner, spilled: readonly SpilledEntry[]): Promise<void> {
  if (spilled.length === 0) return;
  const entries = spilled.map((entry) => ({ ...entry, writer: toText(entry.writer) }));
  const chains = await lockChains(runner, entries);
  const chainOf = ({ writer }: SpilledEntry): number => {
    const chain = chains.get(writer);
    if (chain === undefined) throw new Error('an audit chain that was moved got no number');
    return chain;
  };
  const [numbers, seqs, hashes] = [
    entries.map(chainOf),
    entries.map(({ seq }) => seq),
    entries.map(({ hash }) => hash),
  ];
  await runner.all(
    INSERT,
    numbers,
    seqs,
    ...texts(entries),
    entries.map(({ prevHash }) => prevHash),
    hashes,
  );
  const [other] = await runner.all<{ chain: number; seq: number }>(FIND_OTHERS, numbers, seqs, hashes);
  if (other !== undefined) {
    const entry = entries.find((one) => chains.get(one.writer) === other.chain && one.seq === other.seq);
    throw new RowRefused(
      `audit entry ${other.seq} of chain ${entry?.writer} of the spill is in PostgreSQL already, with another hash`,
    );
  }
  const heads = [...newest(entries).values()];
  await runner.all(
    RAISE_HEADS,
    heads.map(chainOf),
    heads.map(({ seq }) => seq),
    heads.map(({ hash }) => hash),
  );
  for (const entry of entries) await nameHeads(runner, chainOf(entry), followsOf(entry));
}

/** Gives their numbers. */
async function lockChains(runner: Runner, entries: readonly SpilledEntry[]): Promise<Map<string, number>> {
  const writers = [...new Set(entries.map(({ writer }) => writer))];
  await runner.all(MAKE_CHAINS, writers);
  const rows = await runner.all<{ chain: number; writer: string }>(LOCK_CHAINS, writers);
  return new Map(rows.map(({ chain, writer }) => [writer, chain]));
}

/** Entries as they were sealed hold nothing that PostgreSQL cannot keep; what somebody has put there may. */
function texts(entries: readonly SpilledEntry[]): string[][] {
  return [
    entries.map(({ id }) => toText(id)),
    entries.map(({ timestamp }) => toText(timestamp)),
    entries.map(({ action }) => toText(action)),
    entries.map(({ userId }) => toText(userId)),
    entries.map(({ resource }) => toText(resource)),
    entries.map(({ result }) => toText(result)),
    entries.map(({ metadataText }) => toText(metadataText)),
  ];
}

function newest(entries: readonly SpilledEntry[]): Map<string, SpilledEntry> {
  const heads = new Map<string, SpilledEntry>();
  for (const entry of entries) {
    const known = heads.get(entry.writer);
    if (known === undefined || entry.seq > known.seq) heads.set(entry.writer, entry);
  }
  return heads;
}

async function nameHeads(runner: Runner, chain: number, follows: readonly ChainHead[]): Promise<void> {
  if (follows.length === 0) return;
  await runner.all(
    NAME_HEADS,
    follows.map(({ writer }) => writer),
    follows.map(({ seq }) => seq),
    chain,
  );
}
