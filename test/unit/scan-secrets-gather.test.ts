import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Findings } from '../../src/scan-secrets/gather-findings.ts';
import type { BlobPlace } from '../../src/scan-secrets/list-history.ts';
import type { Hit } from '../../src/scan-secrets/scan-content.ts';

const hit = (print: string, line = 1, rule = 'github'): Hit => ({ line, rule, what: 'GITHUB_TOKEN', print });
const place = (path: string, order: number): BlobPlace => ({ path, commit: `${order}`.padStart(40, '0'), order });
const commitOf = (order: number): string => place('', order).commit?.slice(0, 12) ?? '';

test('the first commit is told, in whichever order threads answer', () => {
  const orders = fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 1 });
  fc.assert(
    fc.property(orders, fc.boolean(), (arrived, isThere) => {
      const findings = new Findings();
      // Each version has the secret on another line.
      for (const order of arrived) findings.addHistory([hit('a', order)], [place('a.env', order)], ['a.env']);
      if (isThere) findings.addTree([hit('a', 9)], 'a.env');
      const first = Math.min(...arrived);
      expect(findings.list()).toEqual([
        {
          where: isThere ? 'tree' : 'history',
          path: 'a.env',
          commit: commitOf(first),
          line: isThere ? 9 : first,
          rule: 'github',
          what: 'GITHUB_TOKEN',
        },
      ]);
    }),
  );
});

test('another secret, another path and another line in the tree are findings of their own', () => {
  const findings = new Findings();
  findings.addHistory([hit('a'), hit('b')], [place('a.env', 1), place('b.env', 2)], ['a.env', 'b.env']);
  findings.addTree([hit('a', 1), hit('a', 7)], 'a.env');
  findings.addTree([hit('a', 7)], 'a.env');
  const shown = findings.list().map(({ where, path, line, commit }) => [where, path, line, commit]);
  expect(shown).toEqual([
    ['tree', 'a.env', 1, commitOf(1)],
    ['tree', 'a.env', 7, commitOf(1)],
    ['history', 'a.env', 1, commitOf(1)],
    ['history', 'b.env', 1, commitOf(2)],
    ['history', 'b.env', 1, commitOf(2)],
  ]);
});

test('there is room for so many, and the rest is counted', () => {
  const findings = new Findings();
  const hits = Array.from({ length: 10_010 }, (_, at) => hit(`${at}`));
  findings.addTree(hits, 'a');
  findings.addHistory(hits.slice(0, 5), [place('b', 1)], ['b']);
  expect([findings.list().length, findings.left]).toEqual([10_000, 15]);
});
