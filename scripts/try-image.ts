/**
 * Lays the image out and runs it as a container would: read-only, as process 1 and user 1000, without capabilities, with
 * secrets from files. Proves that it starts, turns healthy by its own health check, takes an event to a handler, answers
 * its command line, and ends on SIGTERM. Writes what it exposes to METRICS_FILE, for promtool.
 *
 *   node scripts/try-image.ts [METRICS_FILE]
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { findReceiver, findUnshare, isolate, type Trial } from './isolate.ts';
import { layOutImage } from './lay-out-image.ts';
import { findInstruction, readEnvironment, readExecForm, readHealthcheck } from './read-dockerfile.ts';

const REPOSITORY = dirname(import.meta.dirname);
const START_MS = 30_000;
/** What the receiver promises, and one second for the processes around it. */
const STOP_MS = 11_000;
const TOKEN = 'a token that only this trial knows';

/** Mounted over the image's own, as docker-compose.yml does. */
const HANDLER = `import { defineHandler } from 'instantly-webhook-receiver';
export default defineHandler({ name: 'trial', events: ['email_sent'], handle: () => {} });
`;

const folder = mkdtempSync(join(tmpdir(), 'image-'));
try {
  await tryImage(await prepare(folder), process.argv[2]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function prepare(base: string): Promise<Trial> {
  chmodSync(base, 0o755);
  const [empty, data, secrets] = ['root', 'data', 'secrets'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [empty, data, secrets]) mkdirSync(path);
  const layout = layOutImage(REPOSITORY, join(base, 'stages'));
  for (const [name, value] of [
    ['webhook-token', TOKEN],
    ['audit-key', 'a key that only this trial knows, 32 bytes'],
  ] as const) {
    writeFileSync(join(secrets, name), `${value}\n`, { mode: 0o644 });
  }
  const handlers = join(layout.root, readEnvironment(layout.stage)['HANDLERS_DIR'] ?? '');
  rmSync(handlers, { recursive: true });
  mkdirSync(handlers);
  writeFileSync(join(handlers, 'trial.ts'), HANDLER);
  chmodSync(data, 0o770);
  if (process.getuid?.() === 0) chownSync(data, 1000, 0);
  return { layout, empty, data, secrets, port: await findFreePort(), unshare: findUnshare() };
}

async function tryImage(trial: Trial, metricsFile: string | undefined): Promise<void> {
  report(
    trial.unshare === undefined ? 'without isolation: no namespaces here' : `isolated by ${trial.unshare.join(' ')}`,
  );
  const { stage, root } = trial.layout;
  const before = listTree(root);
  const command = [
    ...readExecForm(findInstruction(stage, 'ENTRYPOINT').rest),
    ...readExecForm(findInstruction(stage, 'CMD').rest),
  ];
  const { file, words, options } = isolate(trial, command);
  const service = spawn(file, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  service.stdout?.on('data', (chunk: Buffer) => (log += chunk));
  service.stderr?.on('data', (chunk: Buffer) => (log += chunk));
  const exited = once(service, 'exit');
  try {
    await untilHealthy(trial, service);
    report('healthy by its own HEALTHCHECK');
    await tryRequests(trial, metricsFile);
    await tryCommandLine(trial);
    const pid = findReceiver(service);
    const stopAt = Date.now();
    process.kill(pid, 'SIGTERM');
    const [code] = await Promise.race([exited, wait(STOP_MS, ['does not end'], { ref: false })]);
    assert.equal(code, 0, 'SIGTERM: exit code');
    report(`ended ${Date.now() - stopAt} ms after SIGTERM, exit 0`);
    assert.deepEqual(listTree(root), before, 'nothing is written beside the data');
  } catch (error) {
    process.stderr.write(log);
    throw error;
  } finally {
    if (service.exitCode === null) process.kill(findReceiver(service), 'SIGKILL');
  }
}

async function tryRequests({ port }: Trial, metricsFile: string | undefined): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const post = (token: string) =>
    fetch(`${url}/webhooks/instantly`, {
      method: 'POST',
      headers: { 'x-webhook-secret': token, 'content-type': 'application/json' },
      body: JSON.stringify({ event_type: 'email_sent', timestamp: new Date().toISOString() }),
      signal: AbortSignal.timeout(5_000),
    });
  const accepted = await post(TOKEN);
  assert.equal(accepted.status, 200, await accepted.text());
  assert.equal((await post('some other token, long enough')).status, 401);
  report('an event accepted, a stranger refused');

  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  const exposed = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const rules = readFileSync(join(REPOSITORY, 'deploy/prometheus/rules.yml'), 'utf8');
  const watched = new Set(rules.match(/\binstantly_\w+/g));
  assert.ok(watched.size > 0);
  assert.deepEqual(
    [...watched].filter((name) => !exposed.has(name)),
    [],
    'metrics that rules.yml watches and nobody exposes',
  );
  report(`${watched.size} metrics watched by rules.yml are exposed`);
  if (metricsFile !== undefined) writeFileSync(metricsFile, text);
}

/** Asks as `docker exec` does, beside the running service, until the handler has had its event. */
async function tryCommandLine(trial: Trial): Promise<void> {
  const entry = readExecForm(findInstruction(trial.layout.stage, 'ENTRYPOINT').rest);
  const { file, words, options } = isolate(trial, [...entry, 'events', 'list', '--json']);
  const end = Date.now() + START_MS;
  for (;;) {
    const { status, stdout, stderr } = spawnSync(file, words, { ...options, encoding: 'utf8', timeout: 20_000 });
    assert.equal(status, 0, stderr);
    const [event, ...more]: { readonly deliveries: Readonly<Record<string, number>> }[] = JSON.parse(stdout);
    assert.ok(event !== undefined && more.length === 0, stdout);
    if (event.deliveries['done'] === 1) break;
    assert.ok(Date.now() < end, `no handler has run: ${stdout}`);
    await wait(100);
  }
  report('a mounted handler has run, and the command line reads the same store');
}

async function untilHealthy({ layout, port }: Trial, service: ChildProcess): Promise<void> {
  const [, ...words] = readHealthcheck(layout.stage);
  const end = Date.now() + START_MS;
  for (;;) {
    const { status } = spawnSync(process.execPath, words, { env: { PORT: String(port) }, timeout: 10_000 });
    if (status === 0) return;
    assert.equal(service.exitCode, null, 'the service ended before it was healthy');
    assert.ok(Date.now() < end, 'not healthy in time');
    await wait(100);
  }
}

function listTree(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.includes('node_modules/'))
    .map((name) => `${name} ${statSync(join(root, name)).mtimeMs}`)
    .toSorted();
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  server.close();
  await once(server, 'close');
  return address.port;
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}
