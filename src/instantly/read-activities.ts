import type { InstantlyReader } from './reader.ts';
import type { AuditLog } from './schemas.ts';

const DAY_MS = 86_400_000;
const MAX_PAGES = 100;

/**
 * What Instantly's audit log has of a time, by whichever clock its days are: a day more on both sides is read.
 *
 * @param onPage is told the number of pages read
 * @returns `isWhole`: all of it
 */
export async function readActivities(
  reader: Pick<InstantlyReader, 'auditLogs'>,
  since: number,
  until: number,
  signal: AbortSignal,
  onPage: (pages: number) => void = () => undefined,
): Promise<{ readonly activities: readonly AuditLog[]; readonly isWhole: boolean }> {
  const found = new Map<string, AuditLog>();
  const window = { startDate: dayOf(since - DAY_MS), endDate: dayOf(until + DAY_MS) };
  let startingAfter: string | undefined;
  for (let pages = 1; pages <= MAX_PAGES; pages += 1) {
    const page = await reader.auditLogs({ ...window, startingAfter }, signal);
    for (const activity of page.items) found.set(activity.id, activity);
    onPage(pages);
    if (page.items.length === 0 || page.next === undefined || page.next === startingAfter) {
      return { activities: [...found.values()], isWhole: true };
    }
    startingAfter = page.next;
  }
  return { activities: [...found.values()], isWhole: false };
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
