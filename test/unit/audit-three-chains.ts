import type { AuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { AuditLog, resealed, uuid } from './audit-log-model.ts';

/** Writers of `threeChains`, in an order that is not that of their names. */
export const [A, B, C] = [uuid(0xc), uuid(0xb), uuid(0xa)];

/** A ended at 5; B follows A@5 and lives on; C follows B@3, which has grown to 5 since. Read in the order A, B, C. */
export function threeChains(key: AuditKey): AuditLog {
  const log = new AuditLog(key);
  log.start(A);
  for (let count = 0; count < 4; count += 1) log.append(A, { status: 200 });
  log.start(B);
  log.append(B);
  log.append(B);
  log.start(C);
  log.append(B);
  log.append(B);
  log.append(C);
  return log;
}

export const at = (log: AuditLog, writer: string, seq: number): AuditEntry => {
  const entry = log.entries.find((one) => one.writer === writer && one.seq === seq);
  if (entry === undefined) throw new Error('no such entry');
  return entry;
};

export const without = (log: AuditLog, ...gone: readonly (readonly [string, number])[]) =>
  log.entries.filter((entry) => !gone.some(([writer, seq]) => entry.writer === writer && entry.seq === seq));

export const change = (log: Pick<AuditLog, 'entries'>, writer: string, seq: number, changes: object) =>
  log.entries.map((entry) => (entry.writer === writer && entry.seq === seq ? { ...entry, ...changes } : entry));

/** As only this service could: with its key. */
export const resealAt = (log: AuditLog, writer: string, seq: number, changes: object) =>
  log.entries.map((entry) =>
    entry.writer === writer && entry.seq === seq ? resealed({ ...entry, ...changes }, log.key) : entry,
  );
