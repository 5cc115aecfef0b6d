import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SAMPLES } from '../../src/events/samples.ts';
import { KEY, STANDARD_KEY, TOKEN } from '../support/credentials.ts';
import { endOf, runCommand, runJson, spawnCommand } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiver } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const PATH = '/webhooks/instantly';

interface Sent {
  readonly type: string;
  readonly status: number | null;
  readonly answer: string | null;
  readonly id: string | null;
  readonly ms: number;
}

interface Summary {
  readonly sent: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: readonly {
    readonly status: number | null;
    readonly answer: string | null;
    readonly count: number;
  }[];
}

interface Listed {
  readonly id: string;
  readonly type: string;
  readonly principal: string;
}

describe('to a receiver with the secrets it made itself', () => {
  let receiver: ReceiverProcess;
  const here = () => ['--url', `${receiver.url}${PATH}`];
  const send = (...words: string[]) => runJson<Sent[]>(receiver.folder, ['send', ...words, ...here()]);
  const list = (...words: string[]) => runJson<Listed[]>(receiver.folder, ['events', 'list', ...words]);

  beforeAll(async () => {
    receiver = await spawnReceiver({});
  });

  afterAll(() => receiver.stop());

  test('sends one of each type and one with a custom label, new ones each time', async () => {
    const sent = [...(await send()), ...(await send('--all'))];
    const types = Object.keys(SAMPLES);
    expect(sent.map(({ type }) => type)).toEqual([...types, ...types]);
    for (const { status, answer, ms } of sent) expect([status, answer, ms > 0]).toEqual([200, 'accepted', true]);
    const stored = await list();
    expect(stored.map(({ id }) => id).toSorted()).toEqual(sent.map(({ id }) => id).toSorted());
    const expected = types.map((type) => (type === 'custom_label' ? 'Wants a catalogue' : type));
    expect(stored.map(({ type }) => type).toSorted()).toEqual([...expected, ...expected].toSorted());
    for (const { principal } of stored) expect(principal).toBe('instantly:hmac:1+instantly:token:1');
  });

  test('sends the types named, by either name', async () => {
    const sent = await send('link_clicked', 'reply_received', 'link_clicked');
    expect(sent.map(({ type, answer }) => [type, answer])).toEqual([
      ['link_clicked', 'accepted'],
      ['reply_received', 'accepted'],
      ['link_clicked', 'accepted'],
    ]);
    const stored = await list('--limit', '3');
    expect(stored.map(({ type }) => type).toSorted()).toEqual([
      'email_link_clicked',
      'email_link_clicked',
      'reply_received',
    ]);
  });

  test('prints a table for people', async () => {
    const { code, stdout, stderr } = await runCommand(receiver.folder, ['send', 'email_sent', ...here()]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/│ type +│ status │ answer +│ id +│ +ms │/);
    expect(stdout).toMatch(/│ email_sent │ +200 │ accepted │ [0-9a-f-]{36} │ +[\d.]+ │/);
  });

  test('--count sends so many different ones of the types in turn, and sums up', async () => {
    const words = ['send', 'email_opened', 'custom_label', '--count', '301', ...here()];
    const summary = await runJson<Summary & { url: string }>(receiver.folder, words);
    expect(summary).toMatchObject({
      url: `${receiver.url}${PATH}`,
      sent: 301,
      answers: [{ status: 200, answer: 'accepted', count: 301 }],
    });
    expect(summary.p50Ms).toBeGreaterThan(0);
    expect(summary.p99Ms).toBeGreaterThanOrEqual(summary.p50Ms);
    const stored = await list('--limit', '301');
    expect(new Set(stored.map(({ id }) => id)).size).toBe(301);
    expect(stored.filter(({ type }) => type === 'email_opened')).toHaveLength(151);
    expect(stored.filter(({ type }) => type === 'Wants a catalogue')).toHaveLength(150);

    const { code, stdout } = await runCommand(receiver.folder, words);
    expect(code).toBe(0);
    expect(stdout).toMatch(/│ +200 │ accepted │ +301 │/);
    expect(stdout).toMatch(/p50 ms │ p99 ms/);
  });

  test('--rate is kept from the first to the last', async () => {
    const { seconds } = await runJson<Summary>(receiver.folder, ['send', '--count', '11', '--rate', '20', ...here()]);
    expect(seconds).toBeGreaterThanOrEqual(0.5);
  });

  test('--file sends the bytes as they are, and the same again is a duplicate', async () => {
    const body = ' {"event_type" : "Sch\u00f6n" , "n": 1.0}\r\n';
    writeFileSync(join(receiver.folder, 'body.json'), body);
    const [first] = await send('--file', 'body.json');
    expect(first).toMatchObject({ type: 'body.json', status: 200, answer: 'accepted' });
    const [second] = await send('--file', 'body.json');
    expect(second).toMatchObject({ answer: 'duplicate', id: first?.id });
    const { stdout } = await runCommand(receiver.folder, ['events', 'show', first?.id ?? '', '--raw']);
    expect(stdout).toBe(body);
    const { stdout: piped } = await runCommand(receiver.folder, ['send', '--file', '-', '--json', ...here()], {
      input: body,
    });
    expect(JSON.parse(piped)).toMatchObject([{ type: 'stdin', answer: 'duplicate', id: first?.id }]);
  });

  test('the default address is that of the settings', async () => {
    const { port } = receiver;
    const env = { PORT: String(port), HOST: '127.0.0.1' };
    expect(await runJson<Sent[]>(receiver.folder, ['send', 'email_sent'], { env })).toMatchObject([{ status: 200 }]);
    const elsewhere = { ...env, WEBHOOK_PATH: '/other' };
    const { code, stderr } = await runCommand(receiver.folder, ['send', 'email_sent'], { env: elsewhere });
    expect([code, stderr]).toEqual([1, '404: /other is not the WEBHOOK_PATH of the receiver.\n']);
    const { code: unnamed } = await runCommand(receiver.folder, ['send', 'email_sent'], { env: { PORT: '0' } });
    expect(unnamed).toBe(2);
  });

  test('with other secrets every answer is 401, and the command says what that means', async () => {
    const env = { INSTANTLY_WEBHOOK_TOKEN: 'another-token-of-the-test' };
    const { code, stdout, stderr } = await runCommand(receiver.folder, ['send', 'email_sent', '--json', ...here()], {
      env,
    });
    expect(JSON.parse(stdout)).toMatchObject([{ status: 401, answer: 'unauthenticated', id: null }]);
    expect([code, stderr]).toEqual([
      1,
      '401: the secrets in the settings of this folder are not those of the receiver.\n',
    ]);
  });
});

describe('proves itself the way that is configured', () => {
  test.each<[string, NodeJS.ProcessEnv]>([
    ['instantly:token:1', { INSTANTLY_WEBHOOK_TOKEN: TOKEN, INSTANTLY_WEBHOOK_TOKEN_HEADER: 'authorization' }],
    ['instantly:hmac:1', { INSTANTLY_SECRET: KEY }],
    ['instantly:hmac:1', { INSTANTLY_SECRET: KEY, INSTANTLY_SIGNATURE_SCHEME: 'timestamped' }],
    ['instantly:hmac:1', { INSTANTLY_SECRET: STANDARD_KEY, INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks' }],
    [
      'instantly:hmac:1+instantly:token:1',
      { INSTANTLY_SECRET: KEY, INSTANTLY_WEBHOOK_TOKEN: TOKEN, INSTANTLY_REQUIRE: 'both' },
    ],
  ])('%s with %j', async (principal, env) => {
    const receiver = await spawnReceiver(env);
    try {
      const words = ['send', 'reply_received', '--url', `${receiver.url}${PATH}`];
      expect(await runJson<Sent[]>(receiver.folder, words, { env })).toMatchObject([{ status: 200 }]);
      const stored = await runJson<Listed[]>(receiver.folder, ['events', 'list'], { env });
      expect(stored.map((event) => event.principal)).toEqual([principal]);
    } finally {
      await receiver.stop();
    }
  });
});

describe('to whatever may answer', () => {
  const env = { INSTANTLY_WEBHOOK_TOKEN: TOKEN };
  const folder = makeFolder();
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test('no more are under way at once than --concurrency says', async () => {
    let [underWay, most, answered] = [0, 0, 0];
    const waiting: ServerResponse[] = [];
    const url = await listen((_, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      waiting.push(response);
      // All are held until as many have come as may come.
      if (waiting.length < Math.min(3, 12 - answered)) return;
      for (const held of waiting.splice(0)) {
        underWay -= 1;
        answered += 1;
        held.end('{"status":"accepted"}');
      }
    });
    const words = ['send', '--count', '12', '--concurrency', '3', '--url', url];
    expect(await runJson<Summary>(folder, words, { env })).toMatchObject({ sent: 12 });
    expect(most).toBe(3);
  });

  test('an answer that is not 200 ends with 1; a redirect is one, and is not followed', async () => {
    const paths: (string | undefined)[] = [];
    const url = await listen((request, response) => {
      paths.push(request.url);
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    const { code, stdout } = await runCommand(folder, ['send', 'email_sent', '--json', '--url', url], { env });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([{ status: 307, answer: null, id: null }]);
    expect(paths).toEqual(['/']);
  });

  test('one bad answer among good ones ends with 1 and is counted apart', async () => {
    let asked = 0;
    const url = await listen((_, response) => {
      asked += 1;
      if (asked === 5) response.writeHead(503).end('{"code":"overloaded"}');
      else response.end('{"status":"accepted"}');
    });
    const { code, stdout } = await runCommand(folder, ['send', '--count', '9', '--json', '--url', url], { env });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      answers: [
        { status: 200, answer: 'accepted', count: 8 },
        { status: 503, answer: 'overloaded', count: 1 },
      ],
    });
  });

  test('nobody answers: it says so, without the query of the address', async () => {
    const url = await listen(() => undefined);
    server?.close();
    const { code, stdout, stderr } = await runCommand(
      folder,
      ['send', 'email_sent', '--json', '--url', `${url}?key=hidden`],
      {
        env,
      },
    );
    expect(JSON.parse(stdout)).toMatchObject([{ status: null, answer: 'ECONNREFUSED' }]);
    expect([code, stderr]).toEqual([1, `No answer came from ${url}: is the receiver running there?\n`]);
  });

  test('words of a stranger are not printed, nor answers without an end', async () => {
    const answers = [
      { status: '\u001b[2J', id: 'a b' },
      { status: 'x'.repeat(65), id: '' },
      { status: 'x'.repeat(100_000) },
    ];
    const url = await listen((_, response) => response.end(JSON.stringify(answers.shift())));
    const words = ['send', 'email_sent', 'email_sent', 'email_sent', '--concurrency', '1', '--url', url];
    for (const { status, answer, id } of await runJson<Sent[]>(folder, words, { env })) {
      expect([status, answer, id]).toEqual([200, null, null]);
    }
    expect(answers).toEqual([]);
  });

  test('says how far it is where it takes longer, and SIGINT ends it with what was answered until then', async () => {
    let asked = 0;
    const url = await listen((_, response) => {
      asked += 1;
      if (asked <= 4) response.end('{"status":"accepted"}');
    });
    const child = spawnCommand(folder, ['send', '--count', '100', '--concurrency', '2', '--json', '--url', url], {
      env,
    });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told += text;
      if (told.endsWith('events: 4 of 100\n')) child.kill('SIGINT');
    });
    const { code, stdout } = await endOf(child);
    expect(told).toMatch(/events: 4 of 100\n$/);
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ sent: 4, answers: [{ status: 200, answer: 'accepted', count: 4 }] });
  });

  test('sends its secret in the header alone, and the content type of JSON', async () => {
    const bodies: Promise<Buffer>[] = [];
    const heads: IncomingMessage['headers'][] = [];
    const url = await listen((request, response) => {
      heads.push(request.headers);
      bodies.push(buffer(request));
      response.end('{"status":"accepted"}');
    });
    const { stdout, stderr } = await runCommand(folder, ['send', 'email_sent', '--url', url], { env });
    expect(heads).toMatchObject([{ 'x-webhook-secret': TOKEN, 'content-type': 'application/json' }]);
    for (const body of await Promise.all(bodies)) {
      expect(JSON.parse(body.toString('utf8'))).toMatchObject({ event_type: 'email_sent' });
      expect(body.toString('utf8')).not.toContain(TOKEN);
    }
    expect(stdout + stderr).not.toContain(TOKEN);
  });
});
