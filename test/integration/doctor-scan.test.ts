import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Skipped } from '../../src/cli/doctor/check.ts';
import { scanCheck } from '../../src/cli/doctor/scan.ts';
import { examineSettings } from '../../src/config/examine-settings.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { writeFiles } from '../support/git-repository.ts';
import { makeToken, settingLine } from '../support/made-secrets.ts';
import { openStore } from '../support/make-store.ts';
import { makeFolder } from '../support/start-receiver.ts';

let folder = '';
let store: SqliteStore;

beforeEach(async () => {
  folder = makeFolder();
  store = await openStore(folder);
  await store.commit(makeBatch({ accepts: [makeAccept()] }));
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function scan(signal = AbortSignal.timeout(60_000)) {
  const skipped = new Skipped('there is none', 'none');
  return scanCheck.run(
    { cwd: folder, examined: examineSettings({}, folder), opened: { skipped }, instantly: skipped },
    signal,
  );
}

/** Whether another process may write now. */
function canWriteElsewhere(file: string): boolean {
  const script = `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(process.argv[1], { timeout: 0 });
    try { db.exec('BEGIN IMMEDIATE; ROLLBACK'); console.log('yes'); } catch (error) { console.log(error.errstr); }`;
  const { stdout } = spawnSync(process.execPath, ['--eval', script, file], { encoding: 'utf8' });
  if (!/^(yes|database is locked)\n$/.test(stdout)) throw new Error(stdout);
  return stdout === 'yes\n';
}

test('takes no lock from what this process has open meanwhile', async () => {
  const file = join(folder, 'data/receiver.db');
  const db = new DatabaseSync(file);
  try {
    db.exec('BEGIN IMMEDIATE');
    expect(await scan()).toEqual([expect.objectContaining({ status: 'ok' })]);
    expect(canWriteElsewhere(file)).toBe(false);
    db.exec('ROLLBACK');
    expect(canWriteElsewhere(file)).toBe(true);
  } finally {
    db.close();
  }
});

test('tells what it finds, by kind and file', async () => {
  const token = makeToken();
  writeFiles(folder, { 'a.env': `${settingLine(token)}\n${settingLine()}`, 'docs/b.yml': settingLine() });
  const findings = await scan();
  expect(findings.map(({ status, found }) => `${status} ${found}`).toSorted()).toEqual([
    'fail INSTANTLY_WEBHOOK_TOKEN with its value in a.env:1,3',
    'fail INSTANTLY_WEBHOOK_TOKEN with its value in docs/b.yml:1',
  ]);
  expect(JSON.stringify(findings)).not.toContain(token);
});

test('tells no more than ten, and how many there are', async () => {
  writeFiles(folder, Object.fromEntries(Array.from({ length: 13 }, (_, n) => [`f${n}.env`, settingLine()])));
  const findings = await scan();
  expect(findings).toHaveLength(11);
  expect(findings.at(-1)).toMatchObject({ status: 'fail', found: '3 more findings' });
});

test('ends when it is told to', async () => {
  const stop = new AbortController();
  const scanning = scan(stop.signal);
  stop.abort(new Error('enough'));
  await expect(scanning).rejects.toThrow();
});
