import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import { newId } from '../../src/audit/new-id.ts';
import { Secret } from '../../src/config/secret.ts';
import { AuditLane } from '../../src/stores/sqlite/audit-lane.ts';
import { Connection } from '../../src/stores/sqlite/connection.ts';
import { migrate } from '../../src/stores/sqlite/migrate.ts';
import { createOperations, type Operations } from '../../src/stores/sqlite/operations.ts';
import { packBatch } from '../../src/stores/sqlite/pack-batch.ts';
import { makeAccept, makeBatch, makeDraft } from '../contract/make-parts.ts';

let dir: string;
let connection: Connection;
let operations: Operations;
let free = 0;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'receiver-full-'));
  const file = join(dir, 'receiver.db');
  connection = new Connection(file);
  migrate(connection);
  const [writer, auditKey] = [newId(), 'a key for the tests of a full disk'];
  const lane = new AuditLane({ writer, key: deriveAuditKey(new Secret(auditKey)) });
  operations = createOperations({ file, writer, auditKey, serve: false }, connection, lane, () => free);
  free = 0;
});
afterEach(() => {
  connection.close();
  rmSync(dir, { recursive: true });
});

/** As a full disk has it: what is there can be written again, and nothing can be added. */
const limitPages = (pages: number): void => connection.db.exec(`PRAGMA max_page_count = ${pages}`);
const accept = (size: number): unknown =>
  operations.commit(packBatch(makeBatch({ accepts: [makeAccept({ content: 'x'.repeat(size) })] })));

test('a disk without room for events is no store that can commit, though a page can still be written', () => {
  expect(operations.check()).toEqual({ degraded: null });
  limitPages(1);
  expect(() => accept(300_000)).toThrow(/full/);
  expect(() => operations.check()).toThrow('the disk is full');
  // An audit entry alone may fit, and proves nothing about events.
  operations.commit(packBatch(makeBatch({ audits: [makeDraft()] })));
  expect(() => operations.check()).toThrow('the disk is full');
});

test('it can again once there is room, or once an event was committed', () => {
  limitPages(1);
  expect(() => accept(300_000)).toThrow(/full/);
  free = 100_000_000;
  expect(operations.check()).toEqual({ degraded: null });
  free = 0;
  expect(() => operations.check()).toThrow('the disk is full');
  limitPages(1_000_000);
  accept(10);
  expect(operations.check()).toEqual({ degraded: null });
});
