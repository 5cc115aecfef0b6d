import type { KeyObject } from 'node:crypto';
import type { AuditDraft } from '../../audit/entry.ts';
import { newId } from '../../audit/new-id.ts';
import { AuditLane } from '../postgres/audit-lane.ts';
import type { Statement } from '../postgres/transaction.ts';
import type { CopyTarget } from './copy-target.ts';

/** Rows came with their numbers; the next ones go on from there. */
const GO_ON: Statement = {
  name: 'go-on-from-copied',
  text: `SELECT setval(pg_get_serial_sequence('events', 'seq'), greatest(max(seq), 1), max(seq) > 0) FROM events
    UNION ALL SELECT setval(pg_get_serial_sequence('deliveries', 'id'), greatest(max(id), 1), max(id) > 0) FROM deliveries
    UNION ALL SELECT setval(pg_get_serial_sequence('quarantine', 'seq'), greatest(max(seq), 1), max(seq) > 0) FROM quarantine
    UNION ALL SELECT setval(pg_get_serial_sequence('audit_chains', 'chain'), greatest(max(chain), 1), max(chain) > 0) FROM audit_chains
    UNION ALL SELECT setval(pg_get_serial_sequence('audit_entries', 'position'), greatest(max(position), 1), max(position) > 0)
      FROM audit_entries`,
};
/** The server knows nothing of tables that were filled a moment ago, and would plan the first claims accordingly. */
const ANALYZE: Statement = {
  name: 'analyze-copied',
  text: 'ANALYZE events, dedup_keys, deliveries, quarantine, audit_chains, audit_entries',
};
const FINISH: Statement = { name: 'finish-copy', text: 'UPDATE store_copies SET finished_at = $1' };

/** Hands the database over to whoever wants to use it, with the entry that says where its content came from. */
export async function finishCopy(target: CopyTarget, key: KeyObject, entry: AuditDraft, now: number): Promise<void> {
  await target.read((runner) => runner.all(ANALYZE));
  await target.transact(async (runner, last) => {
    await runner.all(GO_ON);
    const chain = await new AuditLane({ writer: newId(), key }).open(runner, now);
    chain.append(entry);
    for (const { statement, values } of chain.close().statements) await runner.all(statement, ...values);
    last(FINISH, now);
  });
}
