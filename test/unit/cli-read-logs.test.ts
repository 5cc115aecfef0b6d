import { expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { readEntriesSince } from '../../src/cli/read-entries-since.ts';
import type { AuditCursor, AuditTail } from '../../src/inbox/store.ts';
import { readActivities } from '../../src/instantly/read-activities.ts';
import type { AuditLogQuery } from '../../src/instantly/reader.ts';

const NOW = Date.UTC(2026, 10, 18, 12);
const never = new AbortController().signal;

function entry(seq: number, at: number, action: string): AuditEntry {
  const timestamp = new Date(at).toISOString();
  const parts = { id: `${seq}`, timestamp, action, userId: 'service', resource: 'r', result: 'success' } as const;
  return { ...parts, metadata: {}, writer: 'w', seq, prevHash: '', hash: '' };
}

/** A log that counts what was read of it. */
function logOf(entries: readonly AuditEntry[]) {
  const asked: (AuditCursor | undefined)[] = [];
  const tailAudit = async (limit: number, after?: AuditCursor): Promise<AuditTail> => {
    asked.push(after);
    const from = after === undefined ? Math.max(0, entries.length - limit) : after === 'start' ? 0 : Number(after);
    const page = entries.slice(from, from + limit);
    return { entries: page, cursor: from + page.length };
  };
  return { asked, tailAudit };
}

const ACTIONS = ['webhook.receive', 'instantly.api.call', 'webhook.resume', 'secret.rotate', 'handler.run', 'webhooks'];
const wanted = ({ action }: AuditEntry) => ['instantly.api.call', 'webhook.resume', 'secret.rotate'].includes(action);
/** One each second up to now. */
const log = Array.from({ length: 45_000 }, (_, index) =>
  entry(index + 1, NOW - (45_000 - index) * 1_000, ACTIONS[index % ACTIONS.length] ?? ''),
);

test.each<[string, 'sqlite' | 'postgres', number, boolean]>([
  ['a short time is found among the newest', 'sqlite', 3_600_000, false],
  ['one that they do not reach back to, in all of it', 'sqlite', 30_000_000, true],
  ['where entries may come late, always in all of it', 'postgres', 3_600_000, true],
])('%s', async (_, kind, span, isWhole) => {
  const { asked, tailAudit } = logOf(log);
  const since = NOW - span;
  const found = await readEntriesSince({ tailAudit }, kind, since, never);
  expect(found).toEqual(log.filter((one) => wanted(one) && Date.parse(one.timestamp) >= since));
  expect(asked.includes('start')).toBe(isWhole);
});

test('a log that is shorter than that is read once', async () => {
  const { asked, tailAudit } = logOf(log.slice(0, 120));
  expect(await readEntriesSince({ tailAudit }, 'sqlite', 0, never)).toHaveLength(60);
  expect(asked).toEqual([undefined]);
});

test('stops where it is told to', async () => {
  const { tailAudit } = logOf(log);
  await expect(readEntriesSince({ tailAudit }, 'postgres', 0, AbortSignal.abort(new Error('enough')))).rejects.toThrow(
    'enough',
  );
});

test("Instantly's log is read with a day more on both sides, each activity once", async () => {
  const queries: AuditLogQuery[] = [];
  const pages = [
    { items: [{ id: 'b', timestamp: 't' }], odd: [], next: 'b' },
    {
      items: [
        { id: 'b', timestamp: 't' },
        { id: 'a', timestamp: 't' },
      ],
      odd: [],
      next: 'a',
    },
    { items: [], odd: [], next: undefined },
  ];
  const auditLogs = async (query: AuditLogQuery) => {
    queries.push(query);
    return pages[queries.length - 1] ?? { items: [], odd: [], next: undefined };
  };
  const found = await readActivities({ auditLogs }, NOW, NOW + 60_000, never);
  expect(found.activities.map(({ id }) => id)).toEqual(['b', 'a']);
  expect(found.isWhole).toBe(true);
  expect(queries).toEqual([
    { startDate: '2026-11-17', endDate: '2026-11-19', startingAfter: undefined },
    { startDate: '2026-11-17', endDate: '2026-11-19', startingAfter: 'b' },
    { startDate: '2026-11-17', endDate: '2026-11-19', startingAfter: 'a' },
  ]);
});

test('one without an end is not read to its end', async () => {
  let pages = 0;
  const auditLogs = async () => {
    pages += 1;
    return { items: [{ id: `${pages}`, timestamp: 't' }], odd: [], next: `${pages}` };
  };
  const { activities, isWhole } = await readActivities({ auditLogs }, NOW, NOW, never);
  expect([activities.length, isWhole, pages]).toEqual([100, false, 100]);
});

test('nor one whose cursor stands still', async () => {
  let pages = 0;
  const auditLogs = async () => {
    pages += 1;
    return { items: [{ id: 'x', timestamp: 't' }], odd: [], next: 'x' };
  };
  expect((await readActivities({ auditLogs }, NOW, NOW, never)).isWhole).toBe(true);
  expect(pages).toBe(2);
});
