import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findInstruction, readHealthcheck } from '../../scripts/read-dockerfile.ts';
import { CATALOGUE, isSecretSetting, SETTING_NAMES } from '../../src/config/catalogue.ts';
import { parseWholeNumber } from '../../src/config/parse-number.ts';
import { PROBLEMS } from '../../src/errors/problem.ts';
import { compose, processes, service, services, withRole } from './compose-file.ts';
import { ENTRY, image, imageSettings, interpolate, REPOSITORY, read, unknownSettings } from './deploy-files.ts';

describe('docker-compose.yml', () => {
  const { receiver } = compose.services;

  test('has the processes it says', () => {
    expect(processes.map(([name]) => name)).toEqual(['receiver', 'receiver-1', 'receiver-2', 'worker']);
  });

  test.each(processes)('%s: its health is checked as the image does', (_, { healthcheck }) => {
    const { flags } = findInstruction(image, 'HEALTHCHECK');
    expect(healthcheck).toEqual({
      test: ['CMD', ...readHealthcheck(image)],
      interval: flags.get('interval'),
      timeout: flags.get('timeout'),
      start_period: flags.get('start-period'),
      retries: Number(flags.get('retries')),
    });
  });

  test.each(processes)('%s has longer to end than it takes', (_, { stop_grace_period, init }) => {
    expect(Number(/^(\d+)s$/.exec(stop_grace_period ?? '')?.[1])).toBeGreaterThan(10);
    expect(init).toBe(true);
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
    expect(interpolate(receiver.deploy?.replicas ?? '')).toBe('1');
  });

  test('opens nothing but the proxy to other machines, and no port twice', () => {
    const local = /^\$\{[A-Z_]+:-127\.0\.0\.1:\d+\}:\d+$/;
    const open = services.flatMap(([name, { ports = [] }]) => (ports.every((port) => local.test(port)) ? [] : [name]));
    expect(open).toEqual(['caddy']);
    const ports = services.flatMap(([, { ports: own = [] }]) => own.map((port) => interpolate(port)));
    const published = ports.map((port) => /(\d+):\d+(\/udp)?$/.exec(port)?.slice(1, 3).join(''));
    expect(published.length).toBeGreaterThan(4);
    expect(new Set(published).size).toBe(published.length);
  });

  test('pins the images that it does not build', () => {
    const images = services.map(([, { image: name }]) => name).filter((name) => !name.endsWith(':local'));
    expect(new Set(images).size).toBe(3);
    for (const name of images) expect(name).toMatch(/:(v?\d+\.\d+(\.\d+)?|\d+-trixie)$/);
  });

  test('bounds the log of every service that stays, and starts it again', () => {
    const lacking = services.filter(
      ([name, { logging, restart }]) =>
        name !== 'setup' && !(logging?.options['max-size'] && restart === 'unless-stopped'),
    );
    expect(lacking).toEqual([]);
  });

  test('sets only what is a setting, and what the image sets to the same', () => {
    for (const [, { environment = {} }] of processes) expect(unknownSettings(Object.keys(environment))).toEqual([]);
    expect(receiver.environment).toMatchObject(imageSettings());
    for (const [, { environment = {} }] of processes) {
      expect({ ...environment, DATABASE_URL: 'sqlite:/data/receiver.db' }).toMatchObject(imageSettings());
      expect(environment['PORT']).toBe(findInstruction(image, 'EXPOSE').rest);
    }
  });

  test.each(processes)('%s gets each secret as a file', (_, { environment = {}, secrets = [] }) => {
    const named = Object.entries(environment).flatMap(([name, path]) =>
      name.endsWith('_FILE') && path !== '' ? [path] : [],
    );
    expect(named.toSorted()).toEqual(secrets.map((name) => `/run/secrets/${name}`).toSorted());
  });

  test('takes secrets from the folder that git ignores, and each is used', () => {
    const used = new Set(services.flatMap(([, { secrets = [] }]) => secrets));
    expect(compose.secrets).toEqual(Object.fromEntries([...used].map((name) => [name, { file: `./secrets/${name}` }])));
    expect(read('.gitignore').split('\n')).toContain('secrets/');
  });

  test.each([
    [{}, '0'],
    [{ DOMAIN: 'hooks.example.org' }, '1'],
    [{ DOMAIN: 'hooks.example.org', TRUST_PROXY: '2' }, '2'],
    [{ TRUST_PROXY: '1' }, '1'],
  ])('with %j in .env the receiver believes %s proxies', (environment, proxies) => {
    const value = interpolate(receiver.environment?.['TRUST_PROXY'] ?? '', environment);
    expect(value === '' ? CATALOGUE.TRUST_PROXY.default : value).toBe(proxies);
  });

  test('with DOMAIN and PUBLISH both, no number of proxies is taken for granted', () => {
    const setting = receiver.environment?.['TRUST_PROXY'] ?? '';
    const both = { DOMAIN: 'hooks.example.org', PUBLISH: '0.0.0.0:3000' };
    expect(parseWholeNumber(interpolate(setting, both), 0, 32)).toHaveProperty('faults');
    expect(interpolate(setting, { ...both, TRUST_PROXY: '0' })).toBe('0');
    expect(interpolate(setting, { PUBLISH: '0.0.0.0:3000' })).toBe('');
  });

  test('bounds the memory and the processes of every service', () => {
    const lacking = services.filter(([, { mem_limit, pids_limit }]) => !(mem_limit && Number(pids_limit) > 0));
    expect(lacking.map(([name]) => name)).toEqual([]);
  });

  test.each(withRole('worker'))('%s gets no credential, though .env may hold them all', (name) => {
    const needed: readonly string[] = ['DATABASE_URL', 'AUDIT_KEY', 'METRICS_TOKEN'];
    const kept = SETTING_NAMES.filter((setting) => isSecretSetting(setting) && !needed.includes(setting))
      .flatMap((setting) => [setting, `${setting}_FILE`])
      .filter((variable) => service(name).environment?.[variable] !== '');
    expect(kept).toEqual([]);
  });

  test('the secrets that the services need are those that the set-up makes', () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'secrets-')), 'secrets');
    try {
      const { entrypoint = [], command = [] } = service('setup');
      const script = entrypoint.find((text) => text.includes('node')) ?? '';
      const start = /node (\S+) "\$\$@"/.exec(script)?.[1];
      expect(`/app/bin/${basename(ENTRY)}`).toBe(start);
      const words = command.map((word) => (word === '/secrets' ? dir : word));
      execFileSync(process.execPath, [ENTRY, ...words], { stdio: 'pipe', timeout: 20_000 });
      const needed = Object.keys(compose.secrets);
      expect(needed.length).toBeGreaterThan(3);
      expect(needed.filter((name) => !existsSync(join(dir, name)))).toEqual([]);
    } finally {
      rmSync(dirname(dir), { recursive: true, force: true });
    }
  });

  test('mounts only files that exist or that its own steps make', () => {
    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.flatMap((volume) => ['0', '1'].map((SINGLE_RECEIVER) => interpolate(volume, { SINGLE_RECEIVER }))),
    );
    const files = sources.map((source) => source.split(':')[0] ?? '').filter((source) => source.startsWith('./'));
    expect(files.length).toBeGreaterThan(4);
    expect(files.filter((file) => file !== './secrets' && !existsSync(join(REPOSITORY, file)))).toEqual([]);
  });

  test('declares the volumes it mounts, and mounts those it declares', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    expect(new Set(mounted.filter((name) => !name.startsWith('.')))).toEqual(new Set(Object.keys(compose.volumes)));
  });
});

describe('deploy', () => {
  test('alerts name outcomes that requests can have', () => {
    const outcomes = [...read('deploy/prometheus/rules.yml').matchAll(/outcome=~?"([^"]+)"/g)]
      .flatMap(([, names = '']) => names.split('|'))
      .filter((name) => !Object.hasOwn(PROBLEMS, name));
    expect(outcomes).toEqual([]);
  });
});
