import type { Call } from './read-trace.ts';

/** One answer 200, held against the trace. */
export interface OrderFault {
  readonly mark: string;
  readonly fault: string;
}

/** What stands in the body of a marked event, and in the id of its request, which its audit entry has too. */
export function bodyMark(mark: string): string {
  return `body-${mark}-end`;
}

export function requestMark(mark: string): string {
  return `request-${mark}-end`;
}

export interface OrderReport {
  readonly answers: number;
  /** Syncs of the write-ahead log that succeeded. */
  readonly syncs: number;
  readonly faults: readonly OrderFault[];
}

/**
 * Each 200 has to be written to its socket after a sync of the write-ahead log has succeeded that began after both the
 * event and its audit entry were written there.
 *
 * @param marks of the events whose senders were answered 200
 */
export function checkOrder(calls: readonly Call[], marks: readonly string[]): OrderReport {
  const writes = calls.filter(({ name, args }) => name.startsWith('pwrite') && args.includes('-wal>'));
  const syncs = calls.filter(
    ({ name, args, result }) => /^f(data)?sync$/.test(name) && args.includes('-wal>') && result === '0',
  );
  const answers = calls.filter(({ args }) => args.includes('<socket:') && args.includes('HTTP/1.1 200'));
  const faults = marks.flatMap((mark) => {
    const fault = findFault(mark, writes, syncs, answers);
    return fault === undefined ? [] : [{ mark, fault }];
  });
  return { answers: marks.length, syncs: syncs.length, faults };
}

function findFault(
  mark: string,
  writes: readonly Call[],
  syncs: readonly Call[],
  answers: readonly Call[],
): string | undefined {
  const event = writes.find(({ args }) => args.includes(bodyMark(mark)));
  const entry = writes.find(({ args }) => args.includes(requestMark(mark)));
  const answer = answers.find(({ args }) => args.includes(requestMark(mark)));
  if (answer === undefined) return 'its answer is not in the trace';
  if (event === undefined || event.ended > answer.began) return 'answered before the event was written';
  if (entry === undefined || entry.ended > answer.began) return 'answered before its audit entry was written';
  const written = Math.max(event.ended, entry.ended);
  const sync = syncs.find(({ began, ended }) => began > written && ended < answer.began);
  return sync === undefined ? 'answered before a sync that began after it was written' : undefined;
}
