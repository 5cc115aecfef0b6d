import { describe, expect, test } from '@jest/globals';
import { monotonicMilliseconds } from '../../src/inbox/clock.ts';
import { completeAudit } from '../../src/inbox/complete-audit.ts';
import { makeDraft } from '../contract/make-parts.ts';

describe('completing an audit draft inside the commit', () => {
  test('adds how it ended and how long it took until now, and keeps the rest', () => {
    const draft = makeDraft('webhook.receive');
    const startedAt = monotonicMilliseconds() - 1_500;
    const completed = completeAudit({ draft, startedAt }, { eventId: 'e1', reason: 'accepted' });
    expect(completed).toMatchObject({ ...draft, metadata: { n: 1, eventId: 'e1', reason: 'accepted' } });
    expect(completed.metadata['durationMs']).toBeGreaterThanOrEqual(1_500);
    expect(completed.metadata['durationMs']).toBeLessThan(60_000);
  });

  test('has no event where none was made', () => {
    const audit = { draft: makeDraft(), startedAt: monotonicMilliseconds() };
    expect(Object.keys(completeAudit(audit, { reason: 'not-json' }).metadata)).toEqual(['n', 'reason', 'durationMs']);
  });
});
