import { expect, test } from '@jest/globals';
import { PRESENCE_PREFIX } from '../../src/inbox/document-names.ts';
import { reportPresence } from '../../src/instantly/presence.ts';

test('what a process tells of itself stands under the prefix that a copy of the store leaves behind', async () => {
  const names: string[] = [];
  const writeDocument = async (name: string): Promise<boolean> => names.push(name) > 0;
  await reportPresence({ writeDocument }, 'one', { role: 'all', tokens: [], apiKeys: [] });
  expect(names).toEqual([`${PRESENCE_PREFIX}one`]);
  expect(PRESENCE_PREFIX).toBe('presence:');
});
