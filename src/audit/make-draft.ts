import type { AuditDraft, AuditMetadata, AuditValue } from './entry.ts';
import { newId } from './new-id.ts';

export interface DraftFields {
  readonly action: string;
  readonly userId: string;
  readonly resource: string;
  readonly result: AuditDraft['result'];
  /** Fields that are `undefined` are left out. */
  readonly metadata?: { readonly [key: string]: AuditValue | undefined };
  /** Epoch milliseconds: when the request arrived or the action began. */
  readonly at: number;
  /** UUID v7; made here where absent. */
  readonly id?: string;
}

/** An audit draft from its fields. Throws a RangeError where `at` is no point in time. */
export function draft(fields: DraftFields): AuditDraft {
  return {
    id: fields.id ?? newId(),
    timestamp: new Date(fields.at).toISOString(),
    action: fields.action,
    userId: fields.userId,
    resource: fields.resource,
    result: fields.result,
    metadata: withoutUndefined(fields.metadata ?? {}),
  };
}

function withoutUndefined(fields: { readonly [key: string]: AuditValue | undefined }): AuditMetadata {
  const kept: { [key: string]: AuditValue } = {};
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept;
}
