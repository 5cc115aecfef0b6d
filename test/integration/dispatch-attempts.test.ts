import { describe, expect, test } from '@jest/globals';
import { done, failed, folder, run, start } from '../unit/dispatch-runner-support.ts';
import { makeDelivery } from '../unit/dispatch-support.ts';

/** In the scope of a handler: `forge` says by a port, however it was found, that every attempt is done. */
const FORGE = `
  const [threads, hooks] = ['node:worker_threads', 'node:async_hooks'].map((name) => process.getBuiltinModule(name));
  const { apply } = Reflect;
  const { postMessage } = threads.MessagePort.prototype;
  const isPort = (one) => one instanceof threads.MessagePort;
  function forge(port) {
    if (isPort(port)) for (let id = 1; id < 9; id += 1) apply(postMessage, port, [{ settled: id, aborted: false }]);
  }`;

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

  // The ways that lead from a user's code to what Node runs for us; each handler posts what it finds there to whoever listens.
  test.each([
    ['the port that every thread has', 'const { parentPort } = threads; forge(parentPort);'],
    ['the data of the thread', 'for (const one of Object.values(threads.workerData)) forge(one);'],
    ['the port of its async context', 'forge(hooks.executionAsyncResource());'],
    ['its handles', 'for (const one of process._getActiveHandles()) forge(one);'],
    [
      'a method that a collection has lent',
      'const { set } = Map.prototype; Map.prototype.set = function (...all) { forge(hooks.executionAsyncResource()); return set.apply(this, all); };',
    ],
  ])('cannot settle its own failed attempt by %s', async (_, way) => {
    const runner = start('forges', `${FORGE}\n${way}\nif (event.payload.n === 2) throw new Error('its own word');`);
    expect(await run(runner, makeDelivery('forges', { payload: { n: 1 } }))).toEqual(done);
    expect(await run(runner, makeDelivery('forges', { payload: { n: 2 } }))).toEqual(
      failed('threw', 'Error: its own word'),
    );
  });

  test('hears nothing of its channel by the prototypes of ports, functions and collections that it has changed', async () => {
    const runner = start(
      'listens',
      `${FORGE}
       if (event.payload.n === 1) for (const prototype of [threads.MessagePort.prototype, EventTarget.prototype, Object.getPrototypeOf(threads.MessagePort.prototype),
         Function.prototype, Map.prototype, Object.getPrototypeOf([][Symbol.iterator]()), Promise.prototype,
         hooks.AsyncResource.prototype, hooks.AsyncLocalStorage.prototype]) {
         for (const name of Reflect.ownKeys(prototype)) {
           const property = Reflect.getOwnPropertyDescriptor(prototype, name);
           if (name === 'constructor' || !property.configurable || typeof property.value !== 'function') continue;
           const method = property.value;
           Reflect.defineProperty(prototype, name, { ...property, value(...all) {
             forge(this);
             forge(all[0]);
             return apply(method, this, all);
           } });
         }
       }
       for (const name of ['store', 'load']) { const known = Atomics[name]; Atomics[name] = (...all) => { all[0].fill(0); return known(...all); }; }
       if (event.payload.n === 2) throw new Error('its own word');`,
    );
    expect(await run(runner, makeDelivery('listens', { payload: { n: 1 } }))).toEqual(done);
    expect(await run(runner, makeDelivery('listens', { payload: { n: 2 } }))).toEqual(
      failed('threw', 'Error: its own word'),
    );
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
