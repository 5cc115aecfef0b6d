import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { USER_AGENT } from '../../src/config/product.ts';
import type { Fault } from '../../src/fake-instantly/faults.ts';
import type { Operation } from '../../src/fake-instantly/operations.ts';
import { reportPresence } from '../../src/instantly/presence.ts';
import { freePort } from '../support/free-port.ts';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';
import { openStore } from '../support/make-store.ts';
import { endOf, runCommand, spawnCommand } from '../support/run-command.ts';

const ALWAYS = 1_000;
const SLOW_MS = 120_000;

let rig: InstantlyRig;

beforeAll(async () => {
  rig = await startRig();
  await rig.json('webhooks', 'register');
}, SLOW_MS);
afterAll(() => rig.stop());

interface Entry {
  readonly action: string;
  readonly result: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const failuresOf = async (action: string): Promise<unknown[]> =>
  (await rig.json<Entry[]>('audit', 'tail', '--limit', '100000'))
    .filter((entry) => entry.action === action && entry.result === 'failure')
    .map(({ metadata }) => metadata['reason']);

describe('a command that fails ends with 1, says why and what to do, prints nothing else, and is audited', () => {
  test.each<[string, readonly string[], Operation, Fault, string, string, string]>([
    [
      'a key that is not known',
      ['webhooks', 'register'],
      'POST /webhooks/{id}/test',
      401,
      'error: webhooks.test: Instantly does not know the key in INSTANTLY_WRITE_KEY (401): make one at Instantly under Settings > Integrations > API keys and set INSTANTLY_WRITE_KEY to it\n',
      'webhook.register',
      'unauthorized',
    ],
    [
      'a scope that is missing',
      ['secrets', 'rotate'],
      'GET /webhooks',
      403,
      'error: webhooks.list: the key in INSTANTLY_READ_KEY lacks the scope webhooks:read (403): make one that has it at Instantly under Settings > Integrations > API keys and set INSTANTLY_READ_KEY to it\n',
      'secret.rotate',
      'scope',
    ],
    [
      'the edge',
      ['reconcile'],
      'GET /webhook-events',
      'edge',
      `error: webhook-events.list: a 403 that is not the API's own: the edge in front of Instantly refuses the User-Agent (${USER_AGENT}; a proxy may have changed it), or it blocks this machine or the proxy it goes through; no scope helps, try from another address\n`,
      'reconcile.run',
      'blocked',
    ],
    [
      'a plan without webhooks',
      ['webhooks', 'resume'],
      'POST /webhooks/{id}/resume',
      402,
      "error: webhooks.resume: the workspace's plan does not allow it (402): Workspace does not have an active paid plan; webhooks need Instantly's Hypergrowth plan or a higher one, and a paid workspace\n",
      'webhook.resume',
      'plan',
    ],
    [
      'an answer that is broken',
      ['webhooks', 'test'],
      'GET /webhooks',
      'broken-json',
      'error: webhooks.list: the answer (status 200) is not what Instantly has published: it is no JSON: check INSTANTLY_API_URL, or update the receiver\n',
      'webhook.test',
      'unreadable',
    ],
    [
      'a server that is away, after trying again',
      ['webhooks', 'register'],
      'GET /webhooks',
      503,
      'error: webhooks.list: Instantly could not answer (status 503): try again in a few minutes\n',
      'webhook.register',
      'server',
    ],
    [
      'a webhook that is gone',
      ['webhooks', 'delete', '00000000-0000-4000-8000-000000000000'],
      'GET /webhooks/{id}',
      404,
      'error: webhooks.get: Instantly has no such thing (404): it was deleted, or belongs to another workspace than the key in INSTANTLY_READ_KEY; "webhooks list" shows what there is\n',
      'webhook.delete',
      'not-found',
    ],
  ])(
    '%s',
    async (_, words, operation, fault, message, action, reason) => {
      rig.fake.fail(operation, fault, ALWAYS);
      const { code, stdout, stderr } = await rig.run(...words, '--json');
      rig.fake.clearFaults();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.endsWith(message) ? message : stderr).toBe(message);
      expect((await failuresOf(action)).at(-1)).toBe(reason);
    },
    SLOW_MS,
  );

  test(
    'an address where nobody is',
    async () => {
      const env = { INSTANTLY_API_URL: `http://127.0.0.1:${await freePort()}` };
      const { code, stderr } = await runCommand(rig.folder, ['webhooks', 'list'], { env });
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr:
          'error: webhooks.list: Instantly could not be reached (ECONNREFUSED): check the network and INSTANTLY_API_URL\n',
      });
    },
    SLOW_MS,
  );
});

describe('settings that are missing or contradict end with 78, before anything is asked', () => {
  const none = { INSTANTLY_READ_KEY: '', INSTANTLY_WRITE_KEY: '', INSTANTLY_API_KEY: '' };

  test.each<[string, readonly string[], Readonly<Record<string, string>>, string[]]>([
    ['no key', ['webhooks', 'register'], none, ['INSTANTLY_READ_KEY is not set', 'INSTANTLY_WRITE_KEY is not set']],
    ['no key for writing', ['secrets', 'rotate'], { INSTANTLY_WRITE_KEY: '' }, ['INSTANTLY_WRITE_KEY is not set']],
    ['no key for reading', ['reconcile'], { INSTANTLY_READ_KEY: '' }, ['INSTANTLY_READ_KEY is not set']],
    ['no address of ours', ['webhooks', 'register'], { PUBLIC_URL: '' }, ['PUBLIC_URL is not set']],
    ['no address of ours', ['secrets', 'rotate'], { PUBLIC_URL: '' }, ['PUBLIC_URL is not set']],
    ['no address of ours', ['reconcile'], { PUBLIC_URL: '' }, ['PUBLIC_URL is not set']],
    ['http', ['webhooks', 'register'], { PUBLIC_URL: 'http://localhost:3000' }, ['PUBLIC_URL is not https']],
    [
      'a signature that Instantly does not make',
      ['webhooks', 'register'],
      { INSTANTLY_REQUIRE: 'both', INSTANTLY_SECRET: 'a-key-of-a-signing-relay' },
      ['INSTANTLY_REQUIRE is both'],
    ],
  ])(
    '%s: %j',
    async (_, words, env, messages) => {
      rig.set(env);
      const calls = rig.fake.calls().length;
      const { code, stdout, stderr } = await rig.run(...words);
      rig.set({});
      expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
      const lines = stderr.trim().split('\n');
      expect(lines).toHaveLength(messages.length);
      for (const [index, message] of messages.entries()) expect(lines[index]).toContain(message);
      expect(stderr).not.toMatch(/^error:|\n\s+at /m);
      expect(rig.fake.calls()).toHaveLength(calls);
    },
    SLOW_MS,
  );
});

describe('Ctrl-C', () => {
  test(
    'ends a call that hangs, and is audited',
    async () => {
      const calls = rig.fake.calls().length;
      rig.fake.fail('GET /webhook-events', 'hang', ALWAYS);
      const child = spawnCommand(rig.folder, ['reconcile']);
      const ended = endOf(child);
      const isThere = (): boolean =>
        rig.fake
          .calls()
          .slice(calls)
          .some(({ status }) => status === null);
      while (!isThere() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
      child.kill('SIGINT');
      expect(await ended).toEqual({ code: 130, stdout: '', stderr: '' });
      rig.fake.clearFaults();
      expect((await failuresOf('reconcile.run')).at(-1)).toBe('interrupted');
      // Its lease is given up.
      expect(await rig.run('reconcile')).toMatchObject({ code: 0 });
    },
    SLOW_MS,
  );

  test(
    'ends the waiting for receivers',
    async () => {
      const store = await openStore(rig.folder);
      await reportPresence(store, 'deaf', { role: 'receiver', tokens: [], apiKeys: [] });
      const child = spawnCommand(rig.folder, ['secrets', 'rotate']);
      child.stderr.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('waiting until every receiver knows it'))
          setTimeout(() => child.kill('SIGINT'), 500);
      });
      const { code, stderr } = await endOf(child);
      expect(code).toBe(130);
      expect(stderr).not.toContain('error');
      expect(stderr).toContain('Run the command again to go on from here.');
      await store.dropDocument('presence:deaf');
      await store.close();
      expect((await failuresOf('secret.rotate')).at(-1)).toBe('interrupted');
      expect(await rig.run('secrets', 'rotate')).toMatchObject({ code: 0 });
    },
    SLOW_MS,
  );
});

test(
  'in the end the log holds, and everything was refused nowhere',
  async () => {
    await rig.fake.emit('email_sent');
    expect(rig.fake.log().filter(({ success }) => !success)).toEqual([]);
    expect(await rig.run('audit', 'verify')).toMatchObject({ code: 0 });
  },
  SLOW_MS,
);
