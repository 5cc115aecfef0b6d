import { expect, test } from '@jest/globals';
import { defineHandler } from '../../src/events/define-handler.ts';

test('a definition is handed back as it is', () => {
  const definition = { name: 'replies', events: ['reply_received'], ordered: false, handle: () => undefined } as const;
  expect(defineHandler(definition)).toBe(definition);
});
