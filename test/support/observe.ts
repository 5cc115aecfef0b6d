import type { AuditEntry } from '../../src/audit/entry.ts';
import type { StoredEvent } from '../../src/inbox/store.ts';
import type { LogLine } from './capture-log.ts';
import type { RunningReceiver } from './start-receiver.ts';

const MANY = 100_000;

/** What some requests have left behind. */
export interface Traces {
  /** The lines of requests. */
  readonly lines: readonly LogLine[];
  /** Every line, those of requests included. */
  readonly log: readonly LogLine[];
  readonly entries: readonly AuditEntry[];
  readonly events: readonly StoredEvent[];
  /** Times that a body was put into quarantine. */
  readonly quarantined: number;
  /** By `outcome`: how much instantly_webhook_requests_total rose. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** By `result`: how much instantly_audit_entries_total rose. */
  readonly audited: Readonly<Record<string, number>>;
  readonly mismatches: number;
  /** Bodies held in memory now. */
  readonly bufferedBytes: number;
}

/**
 * Takes a mark now; the function it gives waits for the log lines of that many requests since, lets what is queued be
 * committed, and tells all that has come since the mark.
 */
export async function observe(running: RunningReceiver): Promise<(requests: number) => Promise<Traces>> {
  const { receiver, log } = running;
  const { store, commits } = receiver;
  await commits.settle();
  const from = log.lines.length;
  const { cursor } = await store.tailAudit(1);
  const known = new Set((await store.listEvents({ limit: MANY })).map(({ id }) => id));
  const before = { quarantined: await quarantinedTimes(running), ...(await readCounters(running)) };
  return async (requests) => {
    await log.waitForRequests(requests, from);
    await commits.settle();
    const after = await readCounters(running);
    return {
      lines: log.requests(from),
      log: log.lines.slice(from),
      // A chain's own first entry is not one of the requests.
      entries: (await store.tailAudit(MANY, cursor)).entries.filter(({ action }) => action !== 'audit.chain.start'),
      events: (await store.listEvents({ limit: MANY })).filter(({ id }) => !known.has(id)),
      quarantined: (await quarantinedTimes(running)) - before.quarantined,
      outcomes: rise(before.outcomes, after.outcomes),
      audited: rise(before.audited, after.audited),
      mismatches: after.mismatches - before.mismatches,
      bufferedBytes: after.bufferedBytes,
    };
  };
}

async function quarantinedTimes({ receiver }: RunningReceiver): Promise<number> {
  const held = await receiver.store.listQuarantine({ limit: MANY });
  return held.reduce((sum, { times }) => sum + times, 0);
}

/** Requests that the entries stand for: singly, counted together, or counted as a gap. */
export function requestsAudited(entries: readonly AuditEntry[]): number {
  return entries.reduce((sum, { action, metadata }) => {
    if (action === 'audit.gap') return sum + sumOfCounts(metadata['counts'] as readonly unknown[]);
    if (metadata['aggregated'] === true) return sum + Number(metadata['count']);
    return 'requestId' in metadata ? sum + 1 : sum;
  }, 0);
}

function sumOfCounts(counts: readonly unknown[]): number {
  return (counts as readonly { count: number }[]).reduce((sum, { count }) => sum + count, 0);
}

/** Bytes of bodies held in memory now. */
export async function bufferedBytes({ receiver }: RunningReceiver): Promise<number> {
  return (await receiver.metrics.requests.bufferedBytes.get()).values[0]?.value ?? 0;
}

type Counts = Record<string, number>;

async function readCounters({ receiver }: RunningReceiver) {
  const { requests, events } = receiver.metrics;
  const byLabel = async (counter: { get(): Promise<{ values: Sample[] }> }, label: string): Promise<Counts> =>
    Object.fromEntries((await counter.get()).values.map(({ labels, value }) => [String(labels[label]), value]));
  const total = async (counter: { get(): Promise<{ values: Sample[] }> }): Promise<number> =>
    (await counter.get()).values[0]?.value ?? 0;
  return {
    outcomes: await byLabel(requests.requests, 'outcome'),
    audited: await byLabel(events.auditEntries, 'result'),
    mismatches: await total(requests.signatureMismatches),
    bufferedBytes: await total(requests.bufferedBytes),
  };
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly value: number;
}

function rise(before: Counts, after: Counts): Counts {
  return Object.fromEntries(
    Object.entries(after)
      .map(([label, value]) => [label, value - (before[label] ?? 0)] as const)
      .filter(([, value]) => value !== 0),
  );
}
