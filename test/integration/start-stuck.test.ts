import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const ENTRY = fileURLToPath(new URL('../../bin/instantly-receiver.js', import.meta.url));

test('a start whose store is inside a system call that does not return says so and ends', () => {
  const folder = mkdtempSync(join(tmpdir(), 'receiver-stuck-'));
  try {
    const file = join(folder, 'receiver.db');
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE t (x TEXT)');
    db.close();
    // SQLite reads what it finds there before anything else, and nobody ever writes to it.
    execFileSync('mkfifo', [`${file}-journal`]);
    const env = { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', DATABASE_URL: `sqlite:${file}` };
    const { status, stderr } = spawnSync(process.execPath, [ENTRY, 'serve'], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(stderr).toMatch(/^DATABASE_URL: cannot open \S+receiver\.db: it took too long; /m);
    expect(status).toBe(78);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
