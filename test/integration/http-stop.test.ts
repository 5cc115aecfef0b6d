import { afterEach, describe, expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Store } from '../../src/inbox/store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { answersUntilClosed, until } from '../support/converse.ts';
import { withToken } from '../support/credentials.ts';
import { freshBody } from '../support/payloads.ts';
import { ask, askRaw, head, post, wholePost } from '../support/post.ts';
import { RawClient } from '../support/raw-client.ts';
import { type ReceiverProcess, spawnReceiver } from '../support/spawn-receiver.ts';
import { BOTH_SCHEMES } from '../support/start-receiver.ts';
import { storeFile } from '../support/store-file.ts';

const CLIENTS = 20;
/** Requests answered before the signal. */
const ANSWERED = 400;

let running: ReceiverProcess;
let store: Store | undefined;
afterEach(async () => {
  await store?.close();
  store = undefined;
  await running.stop();
});

/** The store as a command would open it, after the receiver has ended. */
async function openStore(): Promise<Store> {
  const settings = loadSettings({ env: BOTH_SCHEMES, cwd: running.folder, create: false });
  const auditKey = settings.audit.key.reveal();
  store = await SqliteStore.open({ file: storeFile(settings), writer: 'test', auditKey, serve: false });
  return store;
}

/** Posts events on one connection, each after the answer to the one before, until the connection ends. Gives the ids of
 * those accepted, and whether what came last was whole. */
async function postOnAndOn(onAccepted: () => void): Promise<{ ids: string[]; whole: boolean }> {
  const client = await RawClient.connect(running.port);
  const ids: string[] = [];
  for (;;) {
    const answer = await client.send(wholePost(freshBody(), withToken)).answer();
    if (answer === undefined) return { ids, whole: client.received.byteLength === 0 };
    expect(answer.status).toBe(200);
    ids.push(String(JSON.parse(answer.text).id));
    onAccepted();
  }
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s under load', (signal) => {
  test('every request has a whole answer or a clean end, the exit code is 0, and every 200 is in the store', async () => {
    running = await spawnReceiver();
    let answered = 0;
    let signalled = 0;
    const onAccepted = (): void => {
      answered += 1;
      if (answered !== ANSWERED) return;
      signalled = Date.now();
      running.child.kill(signal);
    };
    const posted = await Promise.all(Array.from({ length: CLIENTS }, () => postOnAndOn(onAccepted)));
    expect(await running.ended).toBe(0);
    expect(Date.now() - signalled).toBeLessThan(10_000);
    expect(posted.map(({ whole }) => whole)).toEqual(Array<boolean>(CLIENTS).fill(true));

    const ids = posted.flatMap((each) => each.ids);
    expect(ids.length).toBeGreaterThanOrEqual(ANSWERED);
    const { listEvents, tailAudit } = await openStore();
    const stored = new Set((await listEvents({ limit: 100_000 })).map(({ id }) => id));
    expect(ids.filter((id) => !stored.has(id))).toEqual([]);
    const { entries } = await tailAudit(100_000);
    const audited = entries
      .filter(({ action }) => action === 'webhook.receive')
      .map(({ metadata }) => metadata['eventId']);
    expect(audited.toSorted()).toEqual([...stored].toSorted());
    expect(entries.at(-1)).toMatchObject({ action: 'service.stop', metadata: { reason: signal } });
  });
});

async function isRefused(): Promise<boolean> {
  try {
    const client = await RawClient.connect(running.port);
    client.destroy();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  }
}

describe('stopping', () => {
  test('a request under way is answered, an idle connection ends, a new one is refused', async () => {
    running = await spawnReceiver();
    const idle = await RawClient.connect(running.port);
    expect((await idle.send(wholePost(freshBody(), withToken)).answer())?.status).toBe(200);
    const busy = await RawClient.connect(running.port);
    const request = wholePost(freshBody(), withToken);
    busy.send(request.subarray(0, -1));
    const half = await RawClient.connect(running.port);
    half.send(request.subarray(0, 30));
    // An answer shows that what was sent before it has been read.
    expect((await ask(running, { method: 'get', path: '/healthz' })).status).toBe(200);

    running.child.kill('SIGTERM');
    await running.log.waitForMessage('stopping');
    await idle.closed;
    await until(isRefused, 'new connections are refused');
    const answers = answersUntilClosed(busy.send(request.subarray(-1)));
    expect((await answers).map(({ status, headers }) => [status, headers['connection']])).toEqual([[200, 'close']]);
    half.send(request.subarray(30));
    expect((await answersUntilClosed(half)).map(({ status }) => status)).toEqual([200]);
    expect(await running.ended).toBe(0);
    await running.log.waitForMessage('stopped');
  });

  test('a request that never comes whole is told so, and the audit names the stop', async () => {
    running = await spawnReceiver();
    const half = await RawClient.connect(running.port);
    half.send(wholePost(freshBody(), withToken).subarray(0, -1));
    expect((await ask(running, { method: 'get', path: '/healthz' })).status).toBe(200);
    running.child.kill('SIGTERM');
    const [answer] = await answersUntilClosed(half);
    expect(answer?.status).toBe(503);
    expect(JSON.parse(answer?.text ?? '')).toMatchObject({ code: 'stopping', status: 503 });
    expect(answer?.headers).toMatchObject({ 'retry-after': '5', 'x-request-id': expect.any(String) });
    expect(await running.ended).toBe(0);
    const { entries } = await (await openStore()).tailAudit(10);
    expect(entries.filter(({ action }) => action === 'webhook.receive')).toMatchObject([
      { result: 'failure', metadata: { status: 503, reason: 'stopping' } },
    ]);
  });

  test('nothing secret, no body and no address stands in what it printed', async () => {
    running = await spawnReceiver();
    await post(running, freshBody(), withToken);
    await post(running, freshBody(), { 'x-webhook-secret': 'wrong-token-of-somebody' });
    await post(running, 'not json, of lead@northwind.example', withToken);
    await askRaw(running, head('GET http://receiver.example:99999/ HTTP/1.1', 'Host: a', 'X-Forwarded-For: a'), 'GET');
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(running.stderr()).not.toContain('Warning');
    const printed = JSON.stringify(running.log.lines) + running.stderr();
    for (const word of [
      ...Object.values(BOTH_SCHEMES).flatMap((list) => list.split(',')),
      'wrong-token',
      '@northwind',
      'not json',
    ]) {
      // The line to paste at the start has a sample address of its own.
      const found = printed.replace('nora@northwind.example', '').includes(word);
      expect([word, found]).toEqual([word, false]);
    }
  });
});
