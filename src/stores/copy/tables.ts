import type { CopiedTable } from './copied-table.ts';
import { DELIVERIES, EVENTS, QUARANTINE } from './event-tables.ts';
import { AUDIT_CHAINS, AUDIT_ENTRIES, DOCUMENTS, HANDLERS, SECRETS_SEEN } from './other-tables.ts';

/** In the order in which they are copied. */
export const TABLES: readonly CopiedTable[] = [
  SECRETS_SEEN,
  HANDLERS,
  DOCUMENTS,
  EVENTS,
  DELIVERIES,
  QUARANTINE,
  AUDIT_CHAINS,
  AUDIT_ENTRIES,
];

/** Before the first key of any table. */
export const FIRST_KEY = Number.MIN_SAFE_INTEGER;
export const LAST_KEY = Number.MAX_SAFE_INTEGER;
