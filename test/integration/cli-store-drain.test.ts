import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/audit/new-id.ts';
import { openSpill } from '../../src/stores/spill/open-spill.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch, makeQuarantine } from '../contract/make-parts.ts';
import { TOKEN } from '../support/credentials.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runCommand, runJson } from '../support/run-command.ts';

const AUDIT_KEY = 'the one key of all processes';
const EVENTS = 1_100;

let database: TestDatabase;
let folder: GuardedFolder;

beforeEach(async () => {
  database = await createTestDatabase();
  folder = guardFolder('receiver-store-drain-');
});
afterEach(async () => {
  await database.drop();
  await folder.remove();
});

const options = () => ({ env: { DATABASE_URL: database.url, AUDIT_KEY, INSTANTLY_WEBHOOK_TOKEN: TOKEN } });

/** What a receiver that is gone has left behind. */
async function leaveSpill(auditKey = AUDIT_KEY): Promise<void> {
  const spill = await openSpill({ file: join(folder.path, 'spill.db'), maxBytes: 64 * 1024 * 1024, auditKey });
  const accepts = Array.from({ length: EVENTS }, (_, n) => makeAccept({ content: `content ${n}` }));
  await spill.spillCommit(makeBatch({ accepts, quarantines: [makeQuarantine('{cut')] }));
  await spill.close();
}

async function contents(): Promise<string[]> {
  const rows = await database.query<{ body: Buffer }>('SELECT body FROM events ORDER BY seq');
  return rows.map(({ body }) => body.toString());
}

describe('store drain', () => {
  test('moves everything, in order, says how much, and finds nothing afterwards', async () => {
    await leaveSpill();
    const { code, stdout } = await runCommand(folder.path, ['store', 'drain', 'spill.db'], options());
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^Moved 1,100 events, 1 unreadable body and 1,102 audit entries to .*spill\.db is empty\.\n$/,
      ),
    ]);
    expect(await contents()).toEqual(Array.from({ length: EVENTS }, (_, n) => `content ${n}`));
    const again = await runJson(folder.path, ['store', 'drain', 'spill.db'], options());
    expect(again).toMatchObject({ events: 0, bodies: 0, entries: 0 });
    expect(await runJson(folder.path, ['audit', 'verify'], options())).toMatchObject({ ok: true });
  });

  test('moves nothing whose audit entries are sealed with another key', async () => {
    await leaveSpill('the key of another receiver');
    const { code, stderr } = await runCommand(folder.path, ['store', 'drain', 'spill.db'], options());
    expect([code, stderr]).toEqual([78, expect.stringMatching(/^AUDIT_KEY is not the key .*spill\.db/)]);
    expect(await contents()).toEqual([]);
  });

  test('moves nothing from a store that was served from', async () => {
    const file = join(folder.path, 'receiver.db');
    const store = await SqliteStore.open({ file, writer: newId(), auditKey: AUDIT_KEY, serve: false });
    await store.firstSeen(['a'], 1);
    await store.commit(makeBatch({ accepts: [makeAccept()] }));
    await store.close();
    const { code, stderr } = await runCommand(folder.path, ['store', 'drain', 'receiver.db'], options());
    expect([code, stderr]).toEqual([78, expect.stringMatching(/has served from .*; name another file/)]);
    expect(await contents()).toEqual([]);
  });
});
