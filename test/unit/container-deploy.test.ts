import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  findInstruction,
  readDockerfile,
  readEnvironment,
  readHealthcheck,
  type Stage,
} from '../../scripts/read-dockerfile.ts';
import { CATALOGUE, isSecretSetting, isSettingName } from '../../src/config/catalogue.ts';
import { parseSize } from '../../src/config/parse-size.ts';
import { PROBLEMS } from '../../src/errors/problem.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const ENTRY = join(REPOSITORY, 'bin/instantly-receiver.js');
const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8');
const final = readDockerfile(read('Dockerfile')).at(-1) as Stage;

/** What the tests look at, of what Compose knows. */
interface Service {
  readonly image: string;
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly init?: boolean;
  readonly read_only?: boolean;
  readonly privileged?: boolean;
  readonly profiles?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly healthcheck?: Readonly<Record<string, unknown>> & { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>> & { readonly receiver: Service };
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const compose: Compose = parse(read('docker-compose.yml'), { merge: true });
const services = Object.entries(compose.services);

describe('docker-compose.yml', () => {
  const { receiver } = compose.services;

  test('checks health as the image does', () => {
    const { flags } = findInstruction(final, 'HEALTHCHECK');
    expect(receiver.healthcheck).toEqual({
      test: ['CMD', ...readHealthcheck(final)],
      interval: flags.get('interval'),
      timeout: flags.get('timeout'),
      start_period: flags.get('start-period'),
      retries: Number(flags.get('retries')),
    });
  });

  test('gives the receiver longer to end than it takes', () => {
    expect(Number(/^(\d+)s$/.exec(receiver.stop_grace_period ?? '')?.[1])).toBeGreaterThan(10);
    expect(receiver.init).toBe(true);
  });

  test('gives no service more rights than it needs', () => {
    for (const [, service] of services) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(service.privileged).toBeUndefined();
    }
    expect(services.flatMap(([name, { user }]) => (user === '0:0' ? [name] : []))).toEqual(['setup']);
  });

  test('starts the receiver alone unless a profile is asked for', () => {
    expect(services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name)).toEqual(['receiver']);
  });

  test('opens nothing but the proxy to other machines', () => {
    const open = services.flatMap(([name, { ports = [] }]) =>
      ports.every((port) => /^\$\{[A-Z_]+:-127\.0\.0\.1:\d+\}:\d+$/.test(port)) ? [] : [name],
    );
    expect(open).toEqual(['caddy']);
  });

  test('pins the images that it does not build', () => {
    const images = services.map(([, { image }]) => image).filter((image) => !image.endsWith(':local'));
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/:v?\d+\.\d+(\.\d+)?$/);
  });

  test('bounds the log of every service that stays', () => {
    const unbounded = services.filter(([name, { logging }]) => name !== 'setup' && !logging?.options['max-size']);
    expect(unbounded).toEqual([]);
  });

  test('sets only what is a setting, and what the image sets to the same', () => {
    const environment = receiver.environment ?? {};
    const unknown = Object.keys(environment).filter((name) => {
      const setting = name.replace(/_FILE$/, '');
      return !isSettingName(setting) || (name !== setting && !isSecretSetting(setting));
    });
    expect(unknown).toEqual([]);
    const { SQLITE_TMPDIR, ...image } = readEnvironment(final);
    expect(SQLITE_TMPDIR).toBeDefined();
    expect(environment).toMatchObject(image);
    expect(environment['PORT']).toBe(findInstruction(final, 'EXPOSE').rest);
  });

  test('gives the receiver each secret as a file, from the folder that git ignores', () => {
    const environment = receiver.environment ?? {};
    const named = Object.entries(environment).flatMap(([name, path]) => (name.endsWith('_FILE') ? [path] : []));
    expect(named).toEqual((receiver.secrets ?? []).map((name) => `/run/secrets/${name}`));
    expect(compose.secrets).toEqual(
      Object.fromEntries((receiver.secrets ?? []).map((name) => [name, { file: `./secrets/${name}` }])),
    );
    expect(read('.gitignore').split('\n')).toContain('secrets/');
  });

  test.each([
    [{}, '0'],
    [{ DOMAIN: 'hooks.example.org' }, '1'],
    [{ DOMAIN: 'hooks.example.org', TRUST_PROXY: '2' }, '2'],
    [{ TRUST_PROXY: '1' }, '1'],
  ])('with %j in .env the receiver believes %s proxies', (environment, proxies) => {
    // Compose and the shell agree on these forms.
    const text = receiver.environment?.['TRUST_PROXY'];
    const value = execFileSync('sh', ['-c', `printf %s "${text}"`], { env: environment, encoding: 'utf8' });
    expect(value === '' ? CATALOGUE.TRUST_PROXY.default : value).toBe(proxies);
  });

  test('the secrets that the receiver needs are those that the set-up makes', () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'secrets-')), 'secrets');
    try {
      const { entrypoint = [], command = [] } = compose.services['setup'] ?? {};
      const script = entrypoint.find((text) => text.includes('node')) ?? '';
      const start = /node (\S+) "\$\$@"/.exec(script)?.[1];
      expect(`/app/bin/${basename(ENTRY)}`).toBe(start);
      const words = command.map((word) => (word === '/secrets' ? dir : word));
      execFileSync(process.execPath, [ENTRY, ...words], { stdio: 'pipe', timeout: 20_000 });
      const needed = receiver.secrets ?? [];
      expect(needed.length).toBeGreaterThan(0);
      expect(needed.filter((name) => !existsSync(join(dir, name)))).toEqual([]);
    } finally {
      rmSync(dirname(dir), { recursive: true, force: true });
    }
  });

  test('mounts only files that exist or that its own steps make', () => {
    const sources = services
      .flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''))
      .filter((source) => source.startsWith('./') && source !== './secrets');
    expect(sources.filter((source) => !existsSync(join(REPOSITORY, source)))).toEqual([]);
  });
});

describe('deploy', () => {
  test('the proxy lets through what the receiver takes, so that the receiver is the one to refuse', () => {
    const limit = /max_size \{\$PROXY_BODY_LIMIT:(\w+)\}/.exec(read('deploy/caddy/Caddyfile'))?.[1] ?? '';
    expect(compose.services['caddy']?.environment?.['PROXY_BODY_LIMIT']).toBe(`\${PROXY_BODY_LIMIT:-${limit}}`);
    const bytes = (text: string) => {
      const parsed = parseSize(text, 1, 2 ** 40);
      return 'value' in parsed ? parsed.value : Number.NaN;
    };
    expect(bytes(limit)).toBeGreaterThan(bytes(CATALOGUE.BODY_LIMIT.default));
    expect(CATALOGUE.WEBHOOK_PATH.default).toMatch(/^\/webhooks\//);
  });

  test('alerts name outcomes that requests can have', () => {
    const outcomes = [...read('deploy/prometheus/rules.yml').matchAll(/outcome=~?"([^"]+)"/g)]
      .flatMap(([, names = '']) => names.split('|'))
      .filter((name) => !Object.hasOwn(PROBLEMS, name));
    expect(outcomes).toEqual([]);
  });
});
