import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { parseTokenBook, type TokenBook } from '../../src/instantly/token-book.ts';
import { openStore } from '../support/make-store.ts';
import { type Ran, runCommand, runJson } from '../support/run-command.ts';
import { makeFolder } from '../support/start-receiver.ts';

const RETIRED = {
  fingerprint: 'a'.repeat(32),
  acceptUntil: 0,
  isAudited: true,
  mark: `scrypt$2$${'0'.repeat(32)}$${'0'.repeat(64)}`,
};
const UNREADABLE = '{"minted":"of a newer release"}';

let folder: string;

beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

async function put(text: string): Promise<void> {
  const store = await openStore(folder);
  await store.writeDocument('tokens', text, null);
  await store.close();
}

async function stored(): Promise<string> {
  const store = await openStore(folder);
  const document = await store.readDocument('tokens');
  await store.close();
  return document?.text ?? '';
}

const reset = (...words: string[]): Promise<Ran> => runCommand(folder, ['secrets', 'reset', ...words]);

test('replaces a record that cannot be read, when told to, and audits it', async () => {
  await put(UNREADABLE);
  const asked = await reset();
  expect([asked.code, asked.stdout]).toEqual([1, '']);
  expect(asked.stderr).toContain('see that it holds new ones alone, and say --yes');
  expect(await stored()).toBe(UNREADABLE);

  expect(await runJson(folder, ['secrets', 'reset', '--yes'])).toEqual({ reset: true });
  expect(parseTokenBook(await stored())).toEqual({ minted: [], retirements: [], rotation: null, isLost: false });
  const entries = await runJson<AuditEntry[]>(folder, ['audit', 'export', '--action', 'secret.reset']);
  expect(entries).toMatchObject([{ userId: 'operator:tester', resource: 'secret', result: 'success' }]);
}, 30_000);

test('keeps what is known of a lost record, and changes none that can be read', async () => {
  const book: TokenBook = { minted: [], retirements: [RETIRED], rotation: null, isLost: true };
  await put(JSON.stringify(book));
  expect((await reset('--yes')).code).toBe(0);
  expect(parseTokenBook(await stored())).toEqual({ ...book, isLost: false });

  const again = await reset('--yes');
  expect([again.code, again.stdout]).toEqual([1, '']);
  expect(again.stderr).toContain('can be read: there is nothing to reset');
}, 30_000);
