/** What the stored events are like. The events of the measurement have the same leads, so they meet the same indexes. */

const DAY_MS = 86_400_000;
/** All of it is within the time for which the same content counts as a duplicate. */
const SPAN_MS = 29 * DAY_MS;

export const RETENTION_MS = 30 * DAY_MS;
/** Leads that events are about, in no order: each event lands anywhere in an index by lead. */
export const LEADS = 500_000;
/** No factor of LEADS, so that events that follow each other are about leads far apart. */
export const LEAD_STRIDE = 7_919;
/** Both take everything, and in order of lead, as is the default. */
export const HANDLERS = ['notify-team', 'update-crm'] as const;
export const ROUTES = HANDLERS.map((handler) => ({ handler, ordered: true }));
export const PRINCIPAL = 'instantly:token:1';
/** Of the audit chain that the history's entries stand in. */
export const WRITER = '00000000-0000-7000-8000-000000000000';

export interface Span {
  /** Epoch milliseconds of the first event. */
  readonly start: number;
  /** Milliseconds between two events. */
  readonly step: number;
}

/** So many events, evenly over the time before now. */
export function spanOf(size: number): Span {
  return { start: Date.now() - SPAN_MS, step: SPAN_MS / Math.max(1, size) };
}

export const leadName = (n: number): string => `lead-${n}@bench.example`;
