import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { makeFolder } from '../support/start-receiver.ts';

test('a SIGTERM to npm start reaches the receiver through the shell between them, and npm ends with 0', async () => {
  const folder = makeFolder();
  const npm = spawn('npm', ['start'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', DATABASE_URL: `sqlite:${folder}/receiver.db` },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  const receiving = new Promise<void>((resolve) => {
    npm.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('"msg":"receiving"')) resolve();
    });
  });
  const ended = once(npm, 'close');
  await receiving;
  npm.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(output).toContain('"msg":"stopped"');
  rmSync(folder, { recursive: true });
});
