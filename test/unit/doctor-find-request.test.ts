import { expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { findRequest } from '../../src/cli/doctor/find-request.ts';
import type { AuditCursor, AuditTail } from '../../src/inbox/store.ts';

const never = new AbortController().signal;

function entry(action: string, metadata: AuditEntry['metadata'] = {}): AuditEntry {
  const draft = { id: 'i', timestamp: '', action, userId: 'anonymous', resource: 'r', result: 'failure' } as const;
  return { ...draft, metadata, writer: 'w', seq: 1, prevHash: '', hash: '' };
}

const own = entry('webhook.receive', { requestId: 'ours' });
const other = entry('webhook.receive', { requestId: 'theirs' });
const gap = entry('audit.gap', { counts: [] });
const counted = entry('webhook.receive', { aggregated: true, count: 3 });

/** Gives one page after the other, and then none. */
function logOf(...pages: AuditEntry[][]) {
  const asked: (AuditCursor | undefined)[] = [];
  const tailAudit = async (_: number, after?: AuditCursor): Promise<AuditTail> => {
    asked.push(after);
    return { entries: pages[asked.length - 1] ?? [], cursor: asked.length };
  };
  return { asked, tailAudit };
}

test.each<[string, AuditEntry[][], string]>([
  ['at once', [[own]], 'found'],
  ['later', [[other], [], [own]], 'found'],
  ['after a full page', [Array.from({ length: 1_000 }, () => other), [own]], 'found'],
  ['by itself though others were counted', [[gap], [own]], 'found'],
  ['in a gap', [[other], [gap]], 'counted'],
  ['beyond the budget', [[counted]], 'counted'],
  ['among those of health checks alone', [[entry('health.check', { aggregated: true })]], 'absent'],
  ['nowhere', [[other]], 'absent'],
])('is found %s', async (_, pages, expected) => {
  const log = logOf(...pages);
  expect(await findRequest(log, { ids: ['x', 'ours'], after: 'start', withinMs: 600 }, never)).toBe(expected);
  expect(log.asked.slice(0, 3)).toEqual(['start', 1, 2].slice(0, Math.min(3, log.asked.length)));
});

test('is not waited for longer than the signal allows', async () => {
  const stop = AbortSignal.timeout(50);
  await expect(findRequest(logOf(), { ids: [], after: 'start', withinMs: 60_000 }, stop)).rejects.toThrow();
});
