import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { CONTENT_LIMIT, readFile } from '../../src/scan-secrets/read-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'receiver-read-'));
const at = (name: string): string => join(folder, name);
const read = (path: string) => readFile(Buffer.from(path));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([0, 1, CONTENT_LIMIT])('a file of %s bytes', async (size) => {
  const bytes = Buffer.alloc(size, 'a');
  writeFileSync(at('file'), bytes);
  const result = await read(at('file'));
  expect(result.kind === 'read' && result.bytes.equals(bytes)).toBe(true);
});

test('a name that is not UTF-8', async () => {
  const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff, 0xfe)]);
  writeFileSync(name, 'text');
  expect(await readFile(name)).toEqual({ kind: 'read', bytes: Buffer.from('text') });
});

test('more than the limit', async () => {
  writeFileSync(at('huge'), Buffer.alloc(CONTENT_LIMIT + 1));
  expect(await read(at('huge'))).toEqual({ kind: 'skipped', reason: 'tooLarge' });
});

test('what is no file', async () => {
  symlinkSync('file', at('link'));
  spawnSync('mkfifo', [at('pipe')]);
  const server = createServer().listen(at('socket'));
  await once(server, 'listening');
  try {
    for (const path of [folder, at('link'), at('pipe'), at('socket'), '/dev/null', '/dev/zero']) {
      expect([path, await read(path)]).toEqual([path, { kind: 'skipped', reason: 'notAFile' }]);
    }
  } finally {
    server.close();
  }
});

test('what is not there, and what cannot be read', async () => {
  expect([await read(at('nothing')), await read(at('file/nothing'))]).toEqual([{ kind: 'gone' }, { kind: 'gone' }]);
  expect(await read(at('x'.repeat(300)))).toEqual({ kind: 'skipped', reason: 'unreadable' });
});
