import { describe, expect, test } from '@jest/globals';
import { done, failed, folder, run, start } from '../unit/dispatch-runner-support.ts';
import { makeDelivery } from '../unit/dispatch-support.ts';

describe('an attempt', () => {
  test('gets event and context, built in its thread', async () => {
    const runner = start(
      'sees',
      `say(JSON.stringify([event, event.receivedAt instanceof Date, context.payload === event.payload,
        Buffer.from(context.rawBody).toString(), context.attempt, context.idempotencyKey, context.outOfOrder,
        context.replay, context.signal.aborted]));`,
    );
    const delivery = makeDelivery('sees', {
      attempt: 3,
      replay: true,
      receivedAt: 1_700_000_000_000,
      timestamp: 1_600_000_000_000,
      lead: 'a@b.example',
      payload: { x: 1 },
    });
    expect(await run(runner, delivery)).toEqual(done);
    expect(JSON.parse(folder.heard[0] ?? '')).toEqual([
      {
        id: delivery.eventId,
        type: 'reply_received',
        rawType: 'reply_received',
        receivedAt: '2023-11-14T22:13:20.000Z',
        timestamp: '2020-09-13T12:26:40.000Z',
        lead: 'a@b.example',
        payload: { x: 1 },
      },
      true,
      true,
      '{"x":1}',
      3,
      `${delivery.eventId}:sees`,
      false,
      true,
      false,
    ]);
  });

  test('gets its own bytes, and none of those that lie beside them in memory', async () => {
    const runner = start('bytes', "say(context.rawBody.byteLength + ' of ' + context.rawBody.buffer.byteLength)");
    const pool = Buffer.alloc(1_000, ' ');
    pool.write('{"x":1}', 100);
    expect(await run(runner, makeDelivery('bytes', { body: pool.subarray(100, 107) }))).toEqual(done);
    await folder.until('7 of 7');
  });

  test('cannot speak for the thread, as a library that finds itself in one may', async () => {
    const runner = start(
      'meddles',
      `const { parentPort } = await import('node:worker_threads');
       parentPort.postMessage('anything');
       parentPort.postMessage({ settled: 1, aborted: false });
       throw new Error('its own word');`,
    );
    expect(await run(runner, makeDelivery('meddles'))).toEqual(failed('threw', 'Error: its own word'));
  });

  test('takes a payload too deep to be passed from thread to thread', async () => {
    const runner = start(
      'deep',
      'let n = 0; for (let at = event.payload.x; Array.isArray(at); at = at[0]) n += 1; say(n);',
    );
    const depth = 100_000;
    const body = Buffer.from(`{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(await run(runner, makeDelivery('deep', { body }))).toEqual(done);
    await folder.until(String(depth));
  });

  test.each([
    ['an Error', "throw new TypeError('no such deal')", 'TypeError: no such deal'],
    ['a string', "throw 'just this'", 'thrown without an Error: just this'],
    ['nothing', 'throw undefined', 'thrown without an Error: undefined'],
    ['a rejection', "await Promise.reject(new Error('late'))", 'Error: late'],
    ['what cannot be read', "throw new Proxy(new Error('x'), { get() { throw 1 } })", expect.any(String)],
    ['an address', "throw new Error('no contact jane.doe@lead.example')", 'Error: no contact [address]'],
  ])('that throws %s has failed', async (_what, body, error) => {
    expect(await run(start('throws', body), makeDelivery('throws'))).toEqual(failed('threw', error));
  });

  test('says where in its own file it failed', async () => {
    const runner = start('where', "\n\nthrow new Error('here')");
    expect(await run(runner, makeDelivery('where'))).toMatchObject({
      where: expect.stringMatching(/^where\.mjs:\d+:\d+$/),
    });
  });
});
