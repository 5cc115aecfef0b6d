import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';

const STARTS = 6;
const ROUNDS = 5;

/** Says it is ready, loads its settings at a word from us, and prints the secrets it would work with. */
const START = `
  import { once } from 'node:events';
  import { loadSettings } from ${JSON.stringify(new URL('../../src/config/load-settings.ts', import.meta.url).href)};
  process.stdout.write('ready\\n');
  await once(process.stdin, 'data');
  const { authentication, audit, generatedSecrets } = loadSettings({ env: {}, cwd: process.cwd(), create: true });
  const secrets = [...authentication.signatureKeys, ...authentication.tokens, audit.key];
  process.stdout.write(JSON.stringify({
    values: secrets.map((secret) => secret.reveal()),
    created: generatedSecrets.filter(({ created }) => created).map(({ name }) => name),
  }));
  process.exit();
`;

interface Started {
  readonly values: readonly string[];
  readonly created: readonly string[];
}

const children: ChildProcess[] = [];
const folders: string[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function startAtOnce(cwd: string): Promise<Started[]> {
  const waiting = await Promise.all(
    Array.from({ length: STARTS }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', START], {
        cwd,
        stdio: ['pipe', 'pipe', 'inherit'],
        env: {},
      });
      children.push(child);
      await once(child.stdout, 'readable');
      return child;
    }),
  );
  for (const child of waiting) child.stdin.end('go\n');
  return Promise.all(
    waiting.map(async (child): Promise<Started> => {
      const output = await text(child.stdout);
      return JSON.parse(output.replace('ready\n', ''));
    }),
  );
}

test('processes started at once agree on one secret of each kind, made once', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const cwd = mkdtempSync(join(tmpdir(), 'receiver-starts-'));
    folders.push(cwd);
    const started = await startAtOnce(cwd);
    expect(new Set(started.map(({ values }) => values.join())).size).toBe(1);
    expect(new Set(started[0]?.values).size).toBe(3);
    expect(started.flatMap(({ created }) => created).toSorted()).toEqual([
      'AUDIT_KEY',
      'INSTANTLY_SECRET',
      'INSTANTLY_WEBHOOK_TOKEN',
    ]);
    expect(readdirSync(join(cwd, 'data')).toSorted()).toEqual(['audit-key', 'instantly-secret', 'webhook-token']);
  }
});
