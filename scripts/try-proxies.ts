/**
 * Runs the nginx and the Caddy configuration of docs/proxies.md, as they stand there, before a receiver on loopback: only
 * addresses, ports and the certificate are put in. Proves that deliveries of any size that BODY_LIMIT allows get in, that the
 * client's address is the one audited, and that nothing else is passed on.
 *
 *   node scripts/try-proxies.ts NGINX CADDY
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { TOKEN } from '../test/support/credentials.ts';
import { freePort } from '../test/support/free-port.ts';
import { makeCertificate } from '../test/support/make-certificate.ts';
import { freshBody } from '../test/support/payloads.ts';
import { type ReceiverProcess, spawnReceiver } from '../test/support/spawn-receiver.ts';

const START_MS = 15_000;
const HOUR_MS = 3_600_000;
/** Another one than the proxy's own, on loopback like it. */
const CLIENT = '127.0.0.2';
const MB = 1024 * 1024;
const HEADER = 'x_webhook_secret';

interface Place {
  readonly folder: string;
  readonly port: number;
  readonly upstream: number;
  readonly cert: string;
  readonly key: string;
}

interface Proxy {
  readonly name: string;
  /** Writes the configuration and gives the words to run the program with. */
  readonly prepare: (place: Place) => readonly string[];
  /** Whether the path is told by the letter. */
  readonly exactPath: boolean;
}

const document = readFileSync(new URL('../docs/proxies.md', import.meta.url), 'utf8');

function blockOf(language: string): string {
  const block = new RegExp(`\n\`\`\`${language}\n(.*?)\n\`\`\`\n`, 's').exec(document)?.[1];
  assert(block !== undefined, `docs/proxies.md has no block of ${language}`);
  return block;
}

/** Each has to be there: a configuration that was changed is to be looked at here too. */
function put(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((changed, [from, to]) => {
    assert(changed.includes(from), `the configuration has no ${JSON.stringify(from)}`);
    return changed.replace(from, to);
  }, text);
}

const NGINX: Proxy = {
  name: 'nginx',
  exactPath: true,
  prepare: ({ folder, port, upstream, cert, key }) => {
    const server = put(blockOf('nginx'), {
      '127.0.0.1:3000': `127.0.0.1:${upstream}`,
      'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      '/etc/letsencrypt/live/hooks.example.org/fullchain.pem': cert,
      '/etc/letsencrypt/live/hooks.example.org/privkey.pem': key,
    });
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${join(folder, kind)};`,
    );
    const file = join(folder, 'nginx.conf');
    writeFileSync(
      file,
      `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off; pid ${join(folder, 'pid')}; error_log stderr;
events {} http { access_log off; ${temporary.join(' ')}\n${server}\n}\n`,
    );
    return ['-p', folder, '-c', file, '-e', 'stderr'];
  },
};

const CADDY: Proxy = {
  name: 'Caddy',
  exactPath: false,
  prepare: ({ folder, port, upstream, cert, key }) => {
    const site = put(blockOf('caddyfile'), {
      'hooks.example.org {': `https://localhost:${port} {\n\tbind 127.0.0.1\n\ttls ${cert} ${key}`,
      '127.0.0.1:3000': `127.0.0.1:${upstream}`,
    });
    const file = join(folder, 'Caddyfile');
    writeFileSync(file, `{\n\tadmin off\n\tauto_https off\n}\n${site}\n`);
    return ['run', '--adapter', 'caddyfile', '--config', file];
  },
};

const [nginx, caddy] = process.argv.slice(2);
assert(nginx !== undefined && caddy !== undefined, 'usage: node scripts/try-proxies.ts NGINX CADDY');
await tryProxy(NGINX, nginx);
await tryProxy(CADDY, caddy);

async function tryProxy(proxy: Proxy, program: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  const receiver = await spawnReceiver({
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    INSTANTLY_WEBHOOK_TOKEN_HEADER: HEADER,
    TRUST_PROXY: '1',
  });
  let child: ChildProcess | undefined;
  try {
    const { cert, key } = makeCertificate(HOUR_MS);
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
    mkdirSync(join(folder, 'home'));
    const port = await freePort();
    const words = proxy.prepare({ folder, port, upstream: receiver.port, ...files });
    const home = join(folder, 'home');
    child = spawn(program, words, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    });
    await checkProxy(proxy, receiver, (sent) => send(port, cert, sent));
    process.stdout.write(`${proxy.name}: ok\n`);
  } finally {
    if (child?.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await receiver.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

type Send = (sent: Sent) => Promise<number>;

async function checkProxy(proxy: Proxy, receiver: ReceiverProcess, ask: Send): Promise<void> {
  await isUp(ask);
  const token = { [HEADER]: TOKEN };
  const filled = (bytes: number) => freshBody({ filler: 'x'.repeat(bytes) });
  assert.equal(await ask({ body: freshBody(), headers: token }), 200, 'an event');
  assert.equal(await ask({ body: filled(9 * MB), headers: token }), 200, 'a reply of 9 MB');
  assert.equal(
    await ask({ body: gzipSync(filled(MB)), headers: { ...token, 'content-encoding': 'gzip' } }),
    200,
    'a packed event',
  );
  assert.equal(await ask({ body: freshBody(), headers: { 'x-webhook-secret': TOKEN } }), 401, 'no token');
  const forged = { ...token, 'x-forwarded-for': '203.0.113.7' };
  assert.equal(await ask({ body: freshBody(), headers: forged }), 200, 'an address of the client');
  assert.equal(await ask({ body: filled(10.5 * MB), headers: token }), 413, 'a body above BODY_LIMIT');
  const spelt = await ask({ path: '/Webhooks//Instantly/', body: freshBody(), headers: token });
  assert.equal(spelt, proxy.exactPath ? 404 : 200, 'the path in another case');
  for (const path of ['/metrics', '/healthz', '/readyz', '/']) {
    assert.equal(await ask({ path, method: 'GET' }), 404, path);
  }
  // The receiver itself refuses what is above BODY_LIMIT.
  await receiver.log.waitFor(() => receiver.log.lines.find(({ status }) => status === 413), 'a 413 of the receiver');
  const lines = receiver.log.requests().filter(({ action }) => action === 'webhook.receive');
  assert.deepEqual(new Set(lines.map(({ ip }) => ip)), new Set([CLIENT]), 'addresses in the audit log');
}

async function isUp(ask: Send): Promise<void> {
  const until = performance.now() + START_MS;
  for (;;) {
    try {
      await ask({ path: '/', method: 'GET' });
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await wait(100);
    }
  }
}

function send(
  port: number,
  ca: string,
  { path = '/webhooks/instantly', method = 'POST', body, headers }: Sent,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        localAddress: CLIENT,
        servername: 'localhost',
        port,
        path,
        method,
        ca,
        headers: { host: `localhost:${port}`, 'content-type': 'application/json', ...headers },
      },
      (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.setTimeout(START_MS, () => outgoing.destroy(new Error('no answer')));
    outgoing.once('error', reject).end(body);
  });
}
