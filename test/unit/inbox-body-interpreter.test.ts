import { Buffer } from 'node:buffer';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Interpretation, interpretBody, LARGE_BODY_BYTES } from '../../src/events/interpret-body.ts';
import { BodyInterpreter, type BodyInterpreterOptions } from '../../src/inbox/body-interpreter.ts';
import { choices, jsonObject, render, sha256 } from './events-json-forms.ts';

let open: BodyInterpreter | undefined;
afterEach(() => open?.close());

function makeInterpreter(options: Partial<BodyInterpreterOptions> = {}) {
  const salvaged: string[] = [];
  open = new BodyInterpreter({
    bodyLimitBytes: 10 * 1_048_576,
    onSalvaged: (reason) => salvaged.push(reason),
    ...options,
  });
  return { bodies: open, salvaged };
}

const isEmpty = (payload: object): boolean => Object.keys(payload).length === 0;
const PADDING = 'x'.repeat(LARGE_BODY_BYTES);
const large = (members: string, padding = PADDING): Buffer =>
  Buffer.from(`{"event_type":"email_sent","lead_email":"a@b.example",${members}"padding":"${padding}"}`);

/** With the key as a text, so that it is compared by its bytes. */
function plain(interpretation: Interpretation): unknown {
  return interpretation.ok
    ? { ...interpretation, dedupKey: Buffer.from(interpretation.dedupKey).toString('hex') }
    : interpretation;
}

describe('a large body', () => {
  test('is read off the thread as on it, whatever is in it', async () => {
    const { bodies, salvaged } = makeInterpreter();
    const charset = fc.constantFrom(null, 'windows-1252', 'utf-16le', 'shift_jis');
    await fc.assert(
      fc.asyncProperty(jsonObject, fc.integer(), charset, fc.nat(3), async (payload, seed, label, damage) => {
        // Rendered for itself: a character at a time takes long.
        const [first = '', ...rest] = render(payload, choices(seed)).trimStart();
        const text = `${first}"padding":"${PADDING}"${isEmpty(payload) ? '' : ','}${rest.join('')}`;
        const bytes = Buffer.from(text, label === 'utf-16le' ? 'utf16le' : 'utf8');
        const cut = damage === 0 ? bytes.subarray(0, bytes.byteLength - 1) : bytes;
        const reading = bodies.interpret(cut, label);
        expect(reading).toBeInstanceOf(Promise);
        expect(plain(await reading)).toEqual(plain(interpretBody(cut, label)));
      }),
      { numRuns: 60 },
    );
    expect(salvaged).toEqual([]);
  });

  test('is left as it is, and read one after the other', async () => {
    const { bodies } = makeInterpreter();
    const pool = Buffer.concat([Buffer.from('before'), large('"n":1,'), Buffer.from('behind')]);
    const body = pool.subarray(6, pool.byteLength - 6);
    const before = sha256(pool);
    const readings = await Promise.all([body, large('"n":2,'), body].map((one) => bodies.interpret(one, null)));
    expect(readings.map(plain)).toEqual([body, large('"n":2,'), body].map((one) => plain(interpretBody(one, null))));
    expect(sha256(pool)).toBe(before);
  });

  test('a small one is read at once', () => {
    expect(makeInterpreter().bodies.interpret(Buffer.from('{"event_type":"email_sent"}'), null)).toMatchObject({
      ok: true,
      facts: { type: 'email_sent' },
    });
  });
});

describe('a body whose thread does not read it', () => {
  test('is stored where the system gives no thread, and so are those that follow', async () => {
    const startThread = (): Worker => {
      throw new Error('ERR_WORKER_INIT_FAILED');
    };
    const { bodies, salvaged } = makeInterpreter({ startThread });
    for (const n of [1, 2]) expect((await bodies.interpret(large(`"n":${n},`), null)).ok).toBe(true);
    expect(salvaged).toEqual(['no thread could be started', 'no thread could be started']);
  });

  const inThread = (code: string) => () =>
    new Worker(code, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 8 } });
  const ON_MESSAGE = "require('node:worker_threads').parentPort.on('message', () => {";

  test.each([
    ['ends', inThread(`${ON_MESSAGE}process.exit(0)})`), 'its thread ended'],
    ['throws', inThread(`${ON_MESSAGE}throw new TypeError('secret')})`), 'its thread ended'],
    [
      'has too little memory',
      inThread(`${ON_MESSAGE}const a = []; for (;;) a.push({}, [])})`),
      'its thread ended (ERR_WORKER_OUT_OF_MEMORY)',
    ],
    ['hangs', inThread(`${ON_MESSAGE}for (;;);})`), 'it took too long'],
  ])('is kept by its bytes where it %s', async (_case, startThread, reason) => {
    const limitMs = reason === 'it took too long' ? 1_000 : 80_000;
    const { bodies, salvaged } = makeInterpreter({ startThread, limitMs });
    const body = large('');
    expect(plain(await bodies.interpret(body, null))).toMatchObject({
      ok: true,
      facts: { type: 'email_sent', lead: 'a@b.example' },
      dedupKey: sha256(body),
    });
    expect(salvaged).toEqual([reason]);
  });

  test('does not keep the next one from being read by another thread', async () => {
    let starts = 0;
    const startThread = (): Worker => {
      starts += 1;
      return starts === 1
        ? inThread(`${ON_MESSAGE}process.exit(0)})`)()
        : new Worker(new URL('../../src/inbox/body-thread.ts', import.meta.url));
    };
    const { bodies, salvaged } = makeInterpreter({ startThread });
    const next = large('"n":2,');
    const [, second] = await Promise.all([bodies.interpret(large(''), null), bodies.interpret(next, null)]);
    expect(plain(second)).toEqual(plain(interpretBody(next, null)));
    expect(salvaged).toHaveLength(1);
  });

  test('is refused where it cannot be an object', async () => {
    const { bodies } = makeInterpreter();
    await bodies.close();
    expect(await bodies.interpret(large('}'), null)).toEqual({ ok: false, reason: 'not-json' });
    expect(await bodies.interpret(Buffer.from(`[${' '.repeat(LARGE_BODY_BYTES)}]`), null)).toMatchObject({ ok: false });
    const late = Buffer.from(`${' '.repeat(LARGE_BODY_BYTES)}{"event_type":"email_sent"}`);
    expect(await bodies.interpret(late, null)).toMatchObject({ ok: true, facts: { rawType: null } });
  });

  test('is kept where the receiver stops while it waits', async () => {
    const { bodies, salvaged } = makeInterpreter({ startThread: inThread(`${ON_MESSAGE}for (;;);})`) });
    const readings = [bodies.interpret(large(''), null), bodies.interpret(large('"n":2,'), null)];
    void bodies.close();
    expect(await Promise.all(readings)).toMatchObject([{ ok: true }, { ok: true }]);
    expect(salvaged).toHaveLength(2);
  });

  test('is not taken for one that its thread no longer works on', async () => {
    const answer = "require('node:worker_threads').parentPort";
    const code = `${answer}.on('message', ({ id }) => { ${answer}.postMessage({ id: id - 1, result: 'of another' }); ${answer}.postMessage({ id, result: 'own' }); })`;
    const { bodies } = makeInterpreter({ startThread: inThread(code) });
    expect(await bodies.interpret(large(''), null)).toBe('own');
  });

  test('follows one whose thread ended when it was done', async () => {
    const threads: Worker[] = [];
    const startThread = (): Worker => {
      const thread = new Worker(new URL('../../src/inbox/body-thread.ts', import.meta.url));
      threads.push(thread);
      return thread;
    };
    const { bodies, salvaged } = makeInterpreter({ startThread });
    await bodies.interpret(large(''), null);
    await threads[0]?.terminate();
    expect(await bodies.interpret(large('"n":2,'), null)).toMatchObject({ ok: true });
    expect([threads.length, salvaged]).toEqual([2, []]);
  });
});

describe('a page of the delivery log', () => {
  const page = () => new TextEncoder().encode('{"items":[{"payload":{"event_type":"email_sent"}}]}');

  test('is split in the thread', async () => {
    const { payloads } = await makeInterpreter().bodies.splitPage(page());
    expect(payloads.map((payload) => JSON.parse(Buffer.from(payload).toString()))).toEqual([
      { event_type: 'email_sent' },
    ]);
  });

  test('is not read where the receiver stops', async () => {
    const { bodies } = makeInterpreter();
    await bodies.close();
    await expect(bodies.splitPage(page())).rejects.toMatchObject({ name: 'PageNotRead' });
  });
});
