import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { AUDIT_ACTIONS } from '../../src/audit/actions.ts';

const ROOT = new URL('../../', import.meta.url);

test('the actions that a filter knows are those of the source and of docs/audit.md', () => {
  const files = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' });
  const written = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.ts') && name !== 'audit/actions.ts')) {
    const text = readFileSync(new URL(`src/${file}`, ROOT), 'utf8');
    for (const [, action = ''] of text.matchAll(
      /(?:action: |Draft\(\s*|record\(\s*|audited\(\s*\w+,\s*| = )'([a-z-]+(?:\.[a-z-]+)+)'/g,
    )) {
      if (!/\.(?:ts|json|jsonl|db)$/.test(action)) written.add(action);
    }
  }
  expect([...written].filter((action) => !AUDIT_ACTIONS.some((known) => known === action))).toEqual([]);
  expect(written.size).toBeGreaterThan(20);
  const rows = readFileSync(new URL('docs/audit.md', ROOT), 'utf8').matchAll(/^\| (`[a-z-]+\.[^|]*) \|/gm);
  const listed = [...rows].flatMap(([, names = '']) => names.replaceAll('`', '').split(', '));
  expect(listed.toSorted()).toEqual(AUDIT_ACTIONS.toSorted());
});
