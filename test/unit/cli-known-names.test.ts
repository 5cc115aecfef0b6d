import { expect, test } from '@jest/globals';
import { refuseUnknownHandler, resolveType } from '../../src/cli/known-names.ts';
import { WrongUsage } from '../../src/cli/wrong-usage.ts';
import type { StoredDelivery, StoredEvent } from '../../src/inbox/store.ts';

/** Whose events have these types, and whose handlers list those. */
function storeWith(types: readonly string[], events: readonly string[] = ['*']) {
  return {
    listEvents: async ({ type }: { readonly type?: string }) =>
      types.filter((one) => type === undefined || one === type).map((one) => ({ type: one }) as StoredEvent),
    registeredHandlers: async () => [{ handler: 'crm', events, ordered: true }],
    listDead: async ({ handler }: { readonly handler?: string }) =>
      handler === 'gone' ? [{ handler } as StoredDelivery] : [],
  };
}

test.each<[string, readonly string[], string]>([
  ['reply_received', [], 'reply_received'],
  ['link_clicked', [], 'email_link_clicked'],
  ['Link-Clicked', [], 'email_link_clicked'],
  ['unknown', [], 'unknown'],
  ['Hot Lead', ['Hot Lead', 'hot lead'], 'Hot Lead'],
  ['HOT LEAD', ['Hot Lead'], 'Hot Lead'],
  // It came, so it is one, whatever it looks like.
  ['email_replied', ['email_replied'], 'email_replied'],
])('the type %j, with %j stored, is %j', async (text, stored, type) => {
  expect(await resolveType(storeWith(stored), text)).toBe(type);
});

test('a label that a handler takes is known, and a name that it takes by mistake is not', async () => {
  const store = storeWith([], ['Hot Lead', 'email_replied']);
  expect(await resolveType(store, 'Hot Lead')).toBe('Hot Lead');
  await expect(resolveType(store, 'email_replied')).rejects.toThrow(/did you mean reply_received\?/);
});

test.each<[string, readonly string[], RegExp]>([
  ['reply_recieved', [], /no type is called "reply_recieved", nor .*; did you mean reply_received\?$/],
  ['hot laed', ['Hot Lead', 'Cold Lead'], /; did you mean "Hot Lead"\?$/],
  // Either may be meant.
  ['HOT LEAD', ['Hot Lead', 'hot lead'], /; did you mean "Hot Lead"\?$/],
  ['all', [], /; leave --type out for all$/],
  ['Mystery', [], /; the types are email_sent, .*, unknown and labels$/],
])('the type %j, with %j stored, is wrong usage', async (text, stored, message) => {
  const refused = resolveType(storeWith(stored), text);
  await expect(refused).rejects.toThrow(WrongUsage);
  await expect(refused).rejects.toThrow(message);
});

test('a handler is known by its registration or by what it left dead', async () => {
  const store = storeWith([]);
  for (const name of [undefined, 'crm', 'gone']) await refuseUnknownHandler(store, name);
  await expect(refuseUnknownHandler(store, 'CRM')).rejects.toThrow(/; did you mean crm\?$/);
  await expect(refuseUnknownHandler(store, 'sheet')).rejects.toThrow(/; there are: crm$/);
});
