import type { AuditKey } from '../../audit/chain.ts';
import type { AuditEntry } from '../../audit/entry.ts';
import { type AuditVerdict, verifyAudit } from '../../audit/verify.ts';
import type { AuditPosition, AuditSnapshot, AuditTail } from '../../inbox/store.ts';
import { AuditSnapshots } from '../postgres/audit-snapshot.ts';
import { Connection } from '../sqlite/connection.ts';
import type { CopySource } from '../sqlite/copy-source.ts';
import { SnapshotReader, tailAudit } from '../sqlite/read-audit.ts';
import type { CopyTarget } from './copy-target.ts';

const PAGE = 2_000;

/** What the audit log says of itself. */
export async function checkTargetLog(target: CopyTarget, key: AuditKey, signal: AbortSignal): Promise<AuditVerdict> {
  const snapshot = await new AuditSnapshots(target).open();
  try {
    return await verifyAudit(() => readEntries(snapshot), key, { signal, described: await snapshot.describe() });
  } finally {
    await snapshot.close();
  }
}

export async function checkSourceLog(source: CopySource, key: AuditKey, signal: AbortSignal): Promise<AuditVerdict> {
  const reader = new SnapshotReader(new Connection(source.file));
  try {
    return await verifyAudit(() => readEntries(reader), key, { signal, described: reader.describe() });
  } finally {
    reader.close();
  }
}

export function readNewest(source: CopySource, limit: number): AuditTail {
  const connection = new Connection(source.file);
  try {
    return tailAudit(connection, limit);
  } finally {
    connection.close();
  }
}

interface Pages {
  read(...parameters: Parameters<AuditSnapshot['read']>): AuditEntry[] | Promise<AuditEntry[]>;
}

async function* readEntries(pages: Pages): AsyncGenerator<AuditEntry> {
  let after: AuditPosition | undefined;
  for (;;) {
    const page: AuditEntry[] = await pages.read(after, PAGE);
    yield* page;
    after = page.at(-1);
    if (after === undefined) return;
  }
}
