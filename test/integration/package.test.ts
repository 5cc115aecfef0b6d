import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../support/free-port.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const MODULES = join(ROOT, 'node_modules');
const TOKEN = 'a-token-of-this-test-alone';
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, NODE_OPTIONS: '' };
const WAIT_MS = 30_000;
const HANDLER = `import { defineHandler } from 'instantly-webhook-receiver';
export default defineHandler({
  name: 'shout',
  events: ['reply_received'],
  handle(event, { logger }) {
    const type: 'reply_received' = event.type;
    logger.info(\`handled \${type}\`);
  },
});
`;
const APP = `import express from 'express';
import { verifyInstantlyWebhook, verifyWebhookSignature } from 'instantly-webhook-receiver/express';
const verify = verifyInstantlyWebhook({ token: '${TOKEN}' });
const app = express().post('/hook', verify, (request, response) => {
  const principal: string | undefined = request.instantly?.principal;
  response.json({ principal, isSigned: verifyWebhookSignature('{}', 'none', 'secret') });
});
const server = app.listen(0, '127.0.0.1', async () => {
  const { port } = server.address() as { port: number };
  for (const token of ['${TOKEN}', 'x'.repeat(20)]) {
    const headers = { 'x-webhook-secret': token };
    const answer = await fetch(\`http://127.0.0.1:\${port}/hook\`, { method: 'POST', headers, body: '{}' });
    console.log(answer.status, await answer.text());
  }
  server.close();
});
`;

const folder = mkdtempSync(join(tmpdir(), 'receiver-package-'));
const project = join(folder, 'project');
const run = (cwd: string, command: string, ...words: string[]): string =>
  execFileSync(command, words, { cwd, env, encoding: 'utf8' });

/** Packed from a copy, so that nothing is built in the tree that is tested; installed as people do. */
beforeAll(() => {
  const checkout = join(folder, 'checkout');
  for (const path of [
    'bin',
    'src',
    'migrations',
    'scripts/build.ts',
    'README.md',
    'LICENSE',
    ...globSync('*.json', { cwd: ROOT }),
  ])
    cpSync(join(ROOT, path), join(checkout, path), { recursive: true });
  symlinkSync(MODULES, join(checkout, 'node_modules'));
  mkdirSync(join(project, 'handlers'), { recursive: true });
  run(checkout, 'npm', 'pack', '--silent', '--pack-destination', folder);
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
  run(
    project,
    'npm',
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    join(folder, tarball),
  );
  symlinkSync(join(MODULES, '@types'), join(project, 'node_modules/@types'));
  writeFileSync(join(project, 'handlers/shout.ts'), HANDLER);
  writeFileSync(join(project, 'app.ts'), APP);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the package holds what runs, and neither source nor tests', () => {
  const own = join(project, 'node_modules/instantly-webhook-receiver');
  expect(readdirSync(own).toSorted()).toEqual(['LICENSE', 'README.md', 'bin', 'dist', 'migrations', 'package.json']);
  expect(globSync('**/*.ts', { cwd: own }).filter((file) => !file.endsWith('.d.ts'))).toEqual([]);
});

test('its types check a handler and an application, without a look away from its own', () => {
  const compilerOptions = { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, types: ['node'] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['handlers', 'app.ts'] }));
  const tsc = join(MODULES, 'typescript/bin/tsc');
  expect(run(project, process.execPath, tsc, '--project', '.')).toBe('');
  writeFileSync(join(project, 'handlers/wrong.ts'), HANDLER.replace("'reply_received'],", "'reply_receved'],"));
  expect(() => run(project, process.execPath, tsc, '--project', '.')).toThrow('Command failed');
  rmSync(join(project, 'handlers/wrong.ts'));
}, 60_000);

test('its middleware lets in and refuses', () => {
  const [first = '', second = ''] = run(project, process.execPath, 'app.ts').split('\n');
  expect(first).toBe('200 {"principal":"instantly:token:1","isSigned":false}');
  expect(second).toMatch(/^401 \{.*"code":"unauthenticated"/);
}, 60_000);

test('its receiver serves: an event is accepted and handled, a forged one refused, and its commands run', async () => {
  const port = await freePort();
  const settings = { PORT: String(port), HOST: '127.0.0.1', INSTANTLY_WEBHOOK_TOKEN: TOKEN };
  const child = spawn('npx', ['--no', 'instantly-receiver', 'serve'], {
    cwd: project,
    env: { ...env, ...settings, XDG_CACHE_HOME: join(folder, 'cache') },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}/webhooks/instantly`;
  const send = (token: string) =>
    fetch(url, {
      method: 'POST',
      headers: { 'x-webhook-secret': token },
      body: '{"event_type":"reply_received","lead_email":"a@b.example"}',
    }).then(({ status }) => status);
  try {
    const log = collect(child);
    await log.until('receiving');
    expect([await send(TOKEN), await send('x'.repeat(20))]).toEqual([200, 401]);
    await log.until('handled reply_received');
    const events = JSON.parse(
      run(project, 'npx', '--no', 'instantly-receiver', 'events', 'list', '--json'),
    ) as unknown[];
    expect(events).toHaveLength(1);
  } finally {
    // npx does not hand signals on to every child.
    const ended = new Promise((resolve) => child.once('close', resolve));
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    await ended;
  }
}, 120_000);

/** Waits for words in what a process prints. */
function collect(child: ChildProcess): { until(words: string): Promise<void> } {
  let text = '';
  let look = (): void => undefined;
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    look();
  });
  return {
    until: (words) =>
      new Promise((resolve, reject) => {
        // Before the test's own limit, at which nothing would end the process.
        setTimeout(() => reject(new Error(`no "${words}" came: ${text}`)), WAIT_MS).unref();
        look = () => {
          if (text.includes(words)) resolve();
        };
        child.once('close', () => reject(new Error(`it ended without "${words}": ${text}`)));
        look();
      }),
  };
}
