import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { post } from '../support/post.ts';
import { launchReceiver } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const TOKEN = 'a token that no handler is to find 1';
const KEY = 'an audit key that no handler is to find 2';
const API_KEY = 'an-api-key-that-no-handler-is-to-find-3';

/** Sends all that the system and Node tell it of the environment, by way. */
const HANDLER = `
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import threads, { SHARE_ENV, Worker } from 'node:worker_threads';

async function inMain(expression) {
  const session = new Session();
  session.connectToMainThread();
  const { result } = await session.post('Runtime.evaluate', { expression, returnByValue: true });
  session.disconnect();
  return result.value;
}

const fromThread = (env) => new Promise((resolve) => {
  new Worker("require('node:worker_threads').parentPort.postMessage({ ...process.env })", { eval: true, env }).on('message', resolve);
});

const WAYS = {
  own: () => process.env,
  report: () => { process.report.excludeEnv = false; return process.report.getReport(); },
  proc: () => readFileSync('/proc/self/environ', 'latin1'),
  tasks: () => readdirSync('/proc/self/task').map((task) => readFileSync('/proc/self/task/' + task + '/environ', 'latin1')),
  command: () => readFileSync('/proc/self/cmdline', 'latin1'),
  child: () => execFileSync(process.execPath, ['-p', 'JSON.stringify(process.env)'], { encoding: 'utf8' }),
  grandchild: () => spawnSync('sh', ['-c', 'env; cat /proc/$PPID/environ'], { encoding: 'latin1' }).stdout,
  main: () => inMain('JSON.stringify([process.env, process.report.getReport()])'),
  shared: () => fromThread(SHARE_ENV),
  data: () => [threads.workerData, threads.getEnvironmentData('env'), threads.resourceLimits],
};

export default {
  name: 'looks',
  events: ['*'],
  async handle() {
    const found = {};
    for (const [way, look] of Object.entries(WAYS)) {
      try { found[way] = JSON.stringify(await look()) ?? ''; } catch (error) { found[way] = String(error); }
    }
    await fetch(process.env.TELL, { method: 'POST', body: JSON.stringify(found) });
  },
};
`;

test('handlers find no secret that the receiver was given in its environment, by none of the ways there', async () => {
  const folder = makeFolder();
  mkdirSync(join(folder, 'handlers'));
  writeFileSync(join(folder, 'handlers', 'looks.mjs'), HANDLER);
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const launch = launchReceiver(folder, {
    PATH: process.env['PATH'],
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    AUDIT_KEY: KEY,
    INSTANTLY_API_KEY: API_KEY,
    INSTANTLY_API_URL: 'http://127.0.0.1:9',
    MARK: 'seen by all',
    TELL: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
  });
  try {
    const receiver = await launch.ready;
    const told = once(listener, 'request');
    const answer = await post(receiver, '{"event_type":"email_sent"}', { 'x-webhook-secret': TOKEN });
    expect(answer.status).toBe(200);
    const [request, response] = await told;
    response.end();
    const found = JSON.parse(await text(request)) as Record<string, string>;
    for (const [way, shown] of Object.entries(found)) {
      for (const secret of [TOKEN, KEY, API_KEY]) expect([way, shown.includes(secret)]).toEqual([way, false]);
    }
    // That each of them has been at the environment at all.
    const ways = [
      'own',
      'child',
      'grandchild',
      'main',
      'shared',
      ...(process.platform === 'linux' ? ['proc', 'tasks'] : []),
    ];
    expect(ways.filter((way) => !found[way]?.includes('seen by all'))).toEqual([]);
    if (process.platform === 'linux') {
      const shown = readFileSync(`/proc/${receiver.child.pid}/environ`, 'latin1');
      expect([shown.includes('MARK=seen by all'), shown.includes(KEY)]).toEqual([true, false]);
    }
    // Settings are read anew with what was taken out.
    receiver.child.kill('SIGHUP');
    await receiver.log.waitForMessage('the settings have not changed');
  } finally {
    listener.close();
    listener.closeAllConnections();
    await launch.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);
