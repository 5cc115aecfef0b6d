import { deriveAuditKey } from '../../src/audit/chain.ts';
import { newId } from '../../src/audit/new-id.ts';
import { Secret } from '../../src/config/secret.ts';
import { AuditLane } from '../../src/stores/sqlite/audit-lane.ts';
import { claimDeliveries } from '../../src/stores/sqlite/claim-deliveries.ts';
import { commitBatch } from '../../src/stores/sqlite/commit-batch.ts';
import { Connection } from '../../src/stores/sqlite/connection.ts';
import { AUDIT_KEY } from '../audit-key.ts';
import type { Plan } from './grown-store.ts';
import { HANDLERS } from './history.ts';
import { makeAccept, makeOutcome } from './make-parts.ts';

/** Remembers what it was asked. */
class RecordingConnection extends Connection {
  readonly statements = new Set<string>();

  override run(...[sql, ...values]: Parameters<Connection['run']>): ReturnType<Connection['run']> {
    this.statements.add(sql);
    return super.run(sql, ...values);
  }

  override get<Row>(...[sql, ...values]: Parameters<Connection['get']>): Row | undefined {
    this.statements.add(sql);
    return super.get(sql, ...values);
  }

  override all<Row>(...[sql, ...values]: Parameters<Connection['all']>): Row[] {
    this.statements.add(sql);
    return super.all(sql, ...values);
  }
}

/** Accepts, claims and finishes one event in the file, and gives the plan of every statement that took. */
export function explainSqlite(file: string): readonly Plan[] {
  const connection = new RecordingConnection(file);
  try {
    const owner = newId();
    const lane = new AuditLane({ writer: owner, key: deriveAuditKey(new Secret(AUDIT_KEY)) });
    const none = { accepts: [], quarantines: [], outcomes: [], audits: [] };
    // The second is a duplicate of the first.
    const accept = makeAccept();
    commitBatch(connection, lane, { ...none, accepts: [accept, accept] });
    const now = Date.now();
    const places = HANDLERS.map((handler) => ({ handler, limit: 10 }));
    const { deliveries } = claimDeliveries(connection, owner, {
      now,
      places,
      lease: newId(),
      leaseUntil: now + 60_000,
    });
    if (deliveries.length === 0) throw new Error('nothing was claimed, so there is nothing to explain');
    commitBatch(connection, lane, { ...none, outcomes: deliveries.map(makeOutcome) });
    return [...connection.statements].flatMap((statement) => explain(connection, statement));
  } finally {
    connection.close();
  }
}

/** A plain insert has none. */
function explain({ db }: Connection, statement: string): Plan[] {
  const lines = db
    .prepare(`EXPLAIN QUERY PLAN ${statement}`)
    .all()
    .map(({ detail }) => String(detail));
  return lines.length === 0 ? [] : [{ statement: statement.replaceAll(/\s+/g, ' '), lines }];
}
