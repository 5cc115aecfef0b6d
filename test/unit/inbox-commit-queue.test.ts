import { describe, expect, test } from '@jest/globals';
import { CommitQueue } from '../../src/inbox/commit-queue.ts';
import type { Waiting } from '../../src/inbox/keep-otherwise.ts';
import { makeAccept, makeQuarantine } from '../contract/make-parts.ts';

const LONG = 'x'.repeat(1024 * 1024 + 1);
const NO_LEADS = new Set<string>();
const settle = { resolve: () => undefined, reject: () => undefined };

const accept = (lead: string | null, content = ''): Waiting => ({
  kind: 'accepts',
  value: makeAccept({ lead, content: `${lead}${content}` }),
  ...settle,
});

function queueOf(...parts: Waiting[]): CommitQueue {
  const queue = new CommitQueue();
  for (const part of parts) queue.push(part);
  return queue;
}

/** Leads of what each transaction takes; in capitals where the body is long. */
function takeAll(queue: CommitQueue, maxParts = 10, leadsInFlight: ReadonlySet<string> = NO_LEADS): string[] {
  const taken: string[] = [];
  while (queue.length > 0) {
    const parts = queue.take(maxParts, leadsInFlight);
    if (parts.length === 0) break;
    const names = parts.map((part) => {
      if (part.kind !== 'accepts') return '-';
      const { lead, body } = part.value.event;
      return (body.byteLength > LONG.length ? lead?.toUpperCase() : lead) ?? '';
    });
    taken.push(names.join(''));
  }
  return taken;
}

describe('the queue of commits', () => {
  test('hands out all that fits, in order', () => {
    const queue = queueOf(...['a', 'b', 'c', 'd'].map((lead) => accept(lead)));
    expect(takeAll(queue, 3)).toEqual(['abc', 'd']);
    expect(queue.length).toBe(0);
  });

  test('gives each long body a transaction of its own, and all others the ones between', () => {
    const long = ['a', 'b', 'c'].map((lead) => accept(lead, LONG));
    expect(takeAll(queueOf(...long, accept('d'), accept('e')))).toEqual(['A', 'de', 'B', 'C']);
    const kept: Waiting = { kind: 'quarantines', value: makeQuarantine(LONG), ...settle };
    expect(takeAll(queueOf(kept, accept('d'), kept, accept('e')))).toEqual(['-', 'de', '-']);
  });

  test('lets none overtake one of its lead', () => {
    const parts = [
      accept('a', LONG),
      accept('b', LONG),
      accept('b'),
      accept('c'),
      accept('b', LONG),
      accept('c', LONG),
    ];
    expect(takeAll(queueOf(...parts))).toEqual(['A', 'c', 'B', 'b', 'B', 'C']);
  });

  test('goes on with the other kind where one has to wait for its leads', () => {
    const inFlight = new Set(['a']);
    expect(takeAll(queueOf(accept('a', LONG), accept('b')), 10, inFlight)).toEqual(['b']);
    expect(takeAll(queueOf(accept('b', LONG), accept('a')), 10, inFlight)).toEqual(['B']);
    expect(takeAll(queueOf(accept('b', LONG), accept('b', LONG), accept('a')), 10, inFlight)).toEqual(['B', 'B']);
  });

  test('puts no more bytes into a transaction than four long bodies have', () => {
    const parts = Array.from({ length: 6 }, (_, n) => accept(String(n), LONG.slice(2)));
    expect(takeAll(queueOf(...parts))).toEqual(['0123', '45']);
  });
});
