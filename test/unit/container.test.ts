import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { validate } from 'dockerfile-utils';
import {
  findInstruction,
  readDockerfile,
  readEnvironment,
  readExecForm,
  readHealthcheck,
  type Stage,
} from '../../scripts/read-dockerfile.ts';
import { readDockerignore } from '../../scripts/read-dockerignore.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8');
const dockerfile = read('Dockerfile');
const stages = readDockerfile(dockerfile);
const final = stages.at(-1) as Stage;
const inContext = readDockerignore(read('.dockerignore'));

function copies(): { source: string; from: string | undefined }[] {
  return stages.flatMap(({ instructions }) =>
    instructions
      .filter(({ name }) => name === 'COPY')
      .flatMap(({ flags, rest }) =>
        rest
          .split(/\s+/)
          .slice(0, -1)
          .map((source) => ({ source, from: flags.get('from') })),
      ),
  );
}

describe('Dockerfile', () => {
  test('has nothing a linter warns of', () => {
    expect(validate(dockerfile)).toEqual([]);
  });

  test('uses no syntax that only BuildKit knows', () => {
    expect(dockerfile).not.toMatch(/^#\s*syntax=/im);
    const flags = stages.flatMap(({ instructions }) =>
      instructions.flatMap(({ name, flags }) => [...flags.keys()].map((flag) => `${name} --${flag}`)),
    );
    const classic = /^(COPY --from|HEALTHCHECK --(interval|timeout|start-period|retries))$/;
    expect(flags.filter((flag) => !classic.test(flag))).toEqual([]);
  });

  test('runs on the Node that the tests run on', () => {
    const manifest: { devDependencies: { node: string } } = JSON.parse(read('package.json'));
    const major = manifest.devDependencies.node.split('.')[0];
    expect(stages.map(({ base }) => base)).toEqual(stages.map(() => `node:${major}-slim`));
  });

  test('installs no package that needs an install script', () => {
    const lock: { packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }> } = JSON.parse(
      read('package-lock.json'),
    );
    const inProduction = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
    expect(inProduction.length).toBeGreaterThan(10);
    expect(inProduction.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  });

  test('copies what is in the repository and let into the build, and all of that', () => {
    const sources = copies().flatMap(({ source, from }) => (from === undefined ? [source] : []));
    expect(sources.filter((source) => !existsSync(join(REPOSITORY, source)))).toEqual([]);
    expect(sources.filter((source) => !inContext(source))).toEqual([]);
    const allowed = [...read('.dockerignore').matchAll(/^!(\S+)$/gm)].map(([, path]) => path);
    expect(new Set(sources)).toEqual(new Set(allowed));
  });

  test('runs as a user whom Kubernetes, too, knows not to be root', () => {
    expect(findInstruction(final, 'USER').rest).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('starts Node without a shell between, which would keep SIGTERM to itself', () => {
    expect(readExecForm(findInstruction(final, 'ENTRYPOINT').rest).slice(0, 2)).toEqual(['node', '--disable-sigusr1']);
    expect(readExecForm(findInstruction(final, 'CMD').rest)).toEqual(['serve']);
    expect(final.instructions.map(({ name }) => name)).not.toContain('STOPSIGNAL');
  });

  test('makes the data folder before it is a volume, since what is done to a volume is lost', () => {
    const folder = final.instructions.findIndex(({ name, rest }) => name === 'RUN' && rest.endsWith(' /data'));
    const volume = final.instructions.findIndex(({ name }) => name === 'VOLUME');
    expect(readExecForm(findInstruction(final, 'VOLUME').rest)).toEqual(['/data']);
    expect(folder).toBeGreaterThanOrEqual(0);
    expect(volume).toBeGreaterThan(folder);
    expect(final.instructions.slice(volume).filter(({ name }) => name === 'RUN' || name === 'COPY')).toEqual([]);
  });

  test('keeps everything that is written under /data, and starts as production', () => {
    const { NODE_ENV, ...paths } = readEnvironment(final);
    expect(NODE_ENV).toBe('production');
    expect(paths).toEqual({
      DATABASE_URL: 'sqlite:/data/receiver.db',
      SPILL_DATABASE_URL: 'sqlite:/data/spill.db',
      SQLITE_TMPDIR: '/data',
      NODE_OPTIONS: '--max-semi-space-size=8',
      HANDLERS_DIR: '/app/handlers',
    });
  });
});

describe('.dockerignore', () => {
  test.each([
    '.env',
    '.env.production',
    'src/.env',
    'handlers/.env.local',
    'handlers/node_modules/left-pad/index.js',
    'handlers/key.pem',
    'src/receiver.db',
    'src/receiver.db-wal',
    'node_modules/express/index.js',
    'secrets/webhook-token',
    'data/receiver.db',
    '.git/config',
    'test/unit/container.test.ts',
    'docker-compose.yml',
  ])('keeps %s out', (path) => {
    expect(inContext(path)).toBe(false);
  });

  test.each(['package.json', 'src/main.ts', 'bin/instantly-receiver.js', 'migrations/sqlite/001.sql', 'handlers/a.ts'])(
    'lets %s in',
    (path) => {
      expect(inContext(path)).toBe(true);
    },
  );
});

describe('health check', () => {
  const check = async (environment: Record<string, string>): Promise<unknown> => {
    const [, ...words] = readHealthcheck(final);
    const child = spawn(process.execPath, words, { env: environment, stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    return code;
  };

  test.each([
    [200, 0],
    [503, 1],
  ])('a receiver that answers %i makes it exit %i', async (status, code) => {
    const paths: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url);
      response.writeHead(status).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      expect(await check({ PORT: String((server.address() as AddressInfo).port) })).toBe(code);
    } finally {
      server.close();
    }
    expect(paths).toEqual(['/healthz']);
  });

  test('a receiver that is gone makes it exit 1', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    expect(await check({ PORT: String(port) })).toBe(1);
  });
});
