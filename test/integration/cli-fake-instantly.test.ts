import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { SAMPLES } from '../../src/events/samples.ts';
import { startTarget, type Target } from '../support/call-fake.ts';
import { endOf, type Ran, runCommand, spawnCommand } from '../support/run-command.ts';
import { makeFolder } from '../support/start-receiver.ts';

const folder = makeFolder();
const running: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Running {
  /** What it has printed when it answers. */
  readonly stdout: string;
  end(signal: NodeJS.Signals): Promise<Ran>;
}

/** @param until what stands in its output when it answers */
async function start(words: readonly string[], until: RegExp): Promise<Running> {
  const child = spawnCommand(folder, ['fake-instantly', '--port', '0', ...words]);
  const ended = endOf(child);
  running.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let stdout = '';
  while (!until.test(stdout)) {
    const [chunk] = await Promise.race([
      once(child.stdout, 'data'),
      ended.then((ran) => Promise.reject(new Error(ran.stderr))),
    ]);
    stdout += String(chunk);
  }
  return {
    stdout,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

interface Told {
  readonly url: string;
  readonly port: number;
  readonly control: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}

async function startJson(...words: string[]): Promise<Running & { told: Told }> {
  const fake = await start([...words, '--json'], /\n}\n$/);
  return { ...fake, told: JSON.parse(fake.stdout) };
}

async function status(told: Told, path: string, key: string): Promise<number> {
  return (await fetch(`${told.url}/api/v2${path}`, { headers: { authorization: `Bearer ${key}` } })).status;
}

async function receive(target: Target, count: number): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (target.received.length < count) {
    deadline.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('fake-instantly', () => {
  test('--json says where it is and with which keys, and ends with 0', async () => {
    const { told, end } = await startJson();
    const { url, port, control, keys, settings } = told;
    expect([url, control]).toEqual([`http://127.0.0.1:${port}`, `${url}/_fake`]);
    expect(settings).toEqual({
      INSTANTLY_API_URL: url,
      INSTANTLY_API_KEY: keys['all'],
      INSTANTLY_READ_KEY: keys['read'],
    });
    expect(await status(told, '/webhooks', keys['all'] ?? '')).toBe(200);
    expect(await status(told, '/webhooks', keys['read'] ?? '')).toBe(200);
    expect(await status(told, '/webhooks', 'another-key')).toBe(401);
    expect((await fetch(control)).status).toBe(200);
    const { code, stdout, stderr } = await end('SIGTERM');
    expect([code, stderr, JSON.parse(stdout)]).toEqual([0, '', told]);
  });

  test('prints lines for .env, and nothing else, on stdout', async () => {
    const { stdout, end } = await start(['--key', 'the-key-of-mine', '--read-key', 'the-other-key'], /READ_KEY=.*\n/);
    expect(stdout).toMatch(
      /^INSTANTLY_API_URL=http:\/\/127\.0\.0\.1:\d+\nINSTANTLY_API_KEY=the-key-of-mine\nINSTANTLY_READ_KEY=the-other-key\n$/,
    );
    const { code, stderr } = await end('SIGINT');
    expect([code, stderr]).toEqual([0, expect.stringContaining('/_fake')]);
  });

  test('the set-up file says what is there; --key goes before it', async () => {
    const file = join(folder, 'set-up.json');
    const webhooks = [{ target_hook_url: 'https://a.example/hook', event_type: 'email_sent' }];
    writeFileSync(
      file,
      JSON.stringify({ webhooks, keys: [{ name: 'mine', scopes: ['webhooks:read'], key: 'mine-mine' }] }),
    );
    const { told, end } = await startJson('--set-up', file, '--key', 'given-here');
    expect(told.keys).toMatchObject({ all: 'given-here', mine: 'mine-mine' });
    expect([await status(told, '/webhooks', 'mine-mine'), await status(told, '/api-keys', 'mine-mine')]).toEqual([
      200, 403,
    ]);
    expect(await (await fetch(told.control)).json()).toMatchObject({ webhooks: [{ event_type: 'email_sent' }] });
    expect((await end('SIGTERM')).code).toBe(0);
  });

  test('--emit-rate sends events of all types, --deliver-to to one address, even while a receiver hangs', async () => {
    const target = await startTarget();
    running.push(() => target.stop());
    const file = join(folder, 'emit.json');
    writeFileSync(
      file,
      JSON.stringify({ webhooks: [{ target_hook_url: 'https://a.example/hook', event_type: 'all_events' }] }),
    );
    const { end } = await startJson('--set-up', file, '--deliver-to', target.url, '--emit-rate', '200');
    const types = Object.keys(SAMPLES).length;
    await receive(target, types * 2);
    expect(new Set(target.received.map(({ body }) => JSON.parse(body).event_type)).size).toBe(types);
    expect(new Set(target.received.map(({ path }) => path))).toEqual(new Set(['/hook']));
    expect(new Set(target.received.map(({ body }) => body)).size).toBe(target.received.length);
    target.answer = () => undefined;
    await receive(target, target.received.length + 5);
    expect((await end('SIGTERM')).code).toBe(0);
  });

  test('--help explains the control side', async () => {
    const { code, stdout } = await runCommand(folder, ['fake-instantly', '--help']);
    expect(code).toBe(0);
    for (const words of ['/_fake/events', '/_fake/faults', '/_fake/advance', '--deliver-to', '--emit-rate', '--json']) {
      expect(stdout).toContain(words);
    }
  });
});

describe('what cannot be', () => {
  test.each([['--port', '70000'], ['--key', 'short'], ['--emit-rate', '0'], ['--emit-rate', '100000'], ['--nonsense']])(
    '%s %s is wrong usage',
    async (...words) => {
      const { code, stdout, stderr } = await runCommand(folder, ['fake-instantly', ...words.filter(Boolean)]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('--help');
    },
  );

  test.each([
    ['{"plan": "gold"}', /^fake-instantly: plan: /],
    ['{"webhoks": [], "logLimit": 0}', /logLimit.*\n.*webhoks/],
    ['{"plan"', /is not JSON/],
  ])('a set-up of %s ends with 78, every fault named', async (text, message) => {
    const file = join(folder, 'bad.json');
    writeFileSync(file, text);
    const { code, stdout, stderr } = await runCommand(folder, ['fake-instantly', '--set-up', file, '--port', '0']);
    expect([code, stdout, stderr]).toEqual([78, '', expect.stringMatching(message)]);
  });

  test('a port that is taken and a file that is not there end with 1', async () => {
    const target = await startTarget();
    running.push(() => target.stop());
    const { port } = new URL(target.url);
    const taken = await runCommand(folder, ['fake-instantly', '--port', port]);
    expect([taken.code, taken.stdout, taken.stderr]).toEqual([1, '', expect.stringContaining('EADDRINUSE')]);
    const missing = await runCommand(folder, ['fake-instantly', '--set-up', 'nowhere.json']);
    expect([missing.code, missing.stderr]).toEqual([1, 'error: nowhere.json cannot be read (ENOENT)\n']);
  });

  test('deliveries to another machine, unless it is said', async () => {
    const { code, stderr } = await runCommand(folder, [
      'fake-instantly',
      '--port',
      '0',
      '--deliver-to',
      'https://a.example',
    ]);
    expect([code, stderr]).toEqual([78, expect.stringContaining('deliverTo')]);
  });
});
