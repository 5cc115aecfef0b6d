import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { newId } from '../../src/audit/new-id.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { Secret } from '../../src/config/secret.ts';
import type { Store } from '../../src/inbox/store.ts';
import { openSpill } from '../../src/stores/spill/open-spill.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { runCommand } from '../support/run-command.ts';
import { makeAccept, makeBatch, makeDraft } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';

const OLD = 'the key with which the log was begun';
const NEW = 'the key of another machine, made anew';

async function entriesOf(store: Pick<Store, 'openAuditSnapshot'>): Promise<AuditEntry[]> {
  const snapshot = await store.openAuditSnapshot();
  const entries = await snapshot.read(undefined, 1_000);
  await snapshot.close();
  return entries;
}

/** Three chains, of which two are named by none. */
async function fill(open: () => Promise<Store>): Promise<AuditEntry[]> {
  const stores = [await open(), await open(), await open()];
  for (const store of stores) await store.commit(makeBatch({ accepts: [makeAccept()], audits: [makeDraft()] }));
  await stores[0]?.commit(makeBatch({ audits: [makeDraft()] }));
  const [first] = stores;
  const entries = first === undefined ? [] : await entriesOf(first);
  for (const store of stores) await store.close();
  return entries;
}

type Begins = Store & { beginAudit(entry: ReturnType<typeof makeDraft>): Promise<{ readonly entries: number }> };

async function expectNewLog(store: Begins, old: readonly AuditEntry[]): Promise<void> {
  expect(await store.beginAudit(makeDraft('audit.begin'))).toEqual({ entries: old.length });
  await store.commit(makeBatch({ audits: [makeDraft()] }));
  const entries = await entriesOf(store);
  const actions = new Set(entries.map(({ action }) => action));
  // In PostgreSQL a chain of another lane may have begun since.
  expect(actions).toEqual(new Set(['audit.chain.start', 'audit.prune', 'audit.begin', 'test.act']));
  expect(entries.length).toBeLessThan(old.length);
  const heads = new Map(
    old.map(({ writer, seq, hash, timestamp }) => [writer, { writer, seq, hash, time: Date.parse(timestamp) }]),
  );
  // Heads that were kept elsewhere are known to have gone.
  const anchor = [...heads.values()];
  const key = deriveAuditKey(new Secret(NEW));
  expect(await verifyAudit(() => entries, key, { anchor })).toMatchObject({ ok: true });
  expect(await store.listEvents({ limit: 10 })).toHaveLength(3);
}

describe('a log that another key has sealed', () => {
  describe('in PostgreSQL', () => {
    const rig = usePostgres();
    test('is replaced by a new one', async () => {
      const old = await fill(() => rig.open({ auditKey: OLD }));
      await expect(rig.open({ auditKey: NEW, serve: true })).rejects.toThrow(/AUDIT_KEY is not the key.*audit begin/);
      await expectNewLog(await rig.open({ auditKey: NEW }), old);
      await rig.open({ auditKey: NEW, serve: true });
    });
  });

  describe('in a file', () => {
    let folder: GuardedFolder;
    beforeEach(() => {
      folder = guardFolder('receiver-key-');
    });
    afterEach(() => folder.remove());
    const open = (auditKey: string, file = 'receiver.db') =>
      SqliteStore.open({ file: join(folder.path, file), writer: newId(), auditKey, serve: false });

    test('is replaced by a new one', async () => {
      const old = await fill(() => open(OLD));
      const store = await open(NEW);
      await expectNewLog(store, old);
      await store.close();
    });

    test('is not gone on with in a spill', async () => {
      await fill(() => open(OLD, 'spill.db'));
      const options = { file: join(folder.path, 'spill.db'), maxBytes: 1e9, auditKey: NEW };
      await expect(openSpill(options)).rejects.toThrow(/AUDIT_KEY is not the key.*spill\.db/);
    });

    test('keeps a receiver from starting, until a new log is begun on purpose', async () => {
      const old = await fill(() => open(OLD));
      const env = { DATABASE_URL: 'sqlite:receiver.db', AUDIT_KEY: NEW, INSTANTLY_WEBHOOK_TOKEN: 'a token of sixteen' };
      const run = (...words: string[]) => runCommand(folder.path, words, { env: { ...env, PORT: '0' } });
      const refused = await run('serve');
      expect([refused.code, refused.stderr]).toEqual([
        78,
        expect.stringMatching(/^AUDIT_KEY is not the key .*; set it/),
      ]);
      expect((await run('audit', 'begin', '--output', 'old.jsonl')).code).toBe(2);
      expect(existsSync(join(folder.path, 'old.jsonl'))).toBe(false);
      expect((await run('audit', 'begin', '--output', 'old.jsonl', '--yes')).code).toBe(0);
      const lines = readFileSync(join(folder.path, 'old.jsonl'), 'utf8').trim().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as AuditEntry).hash).sort()).toEqual(
        old.map(({ hash }) => hash).sort(),
      );
      expect((await run('audit', 'verify')).code).toBe(0);
      const again = await run('audit', 'begin', '--output', 'again.jsonl', '--yes');
      expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('there is nothing to begin')]);
    });
  });
});
