import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findInstruction } from '../../scripts/read-dockerfile.ts';
import { CATALOGUE, isSecretSetting, isSettingName } from '../../src/config/catalogue.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { loadHandlers } from '../../src/dispatch/load-handlers.ts';
import {
  bytesOf,
  image,
  imageSettings,
  makeSecrets,
  REPOSITORY,
  read,
  relocate,
  servedPaths,
  unknownSettings,
} from './deploy-files.ts';
import {
  containerOf,
  drain,
  environmentOf,
  FOLDER,
  kustomization,
  podOf,
  quantity,
  receivers,
  type Workload,
  workers,
  workloads,
} from './kubernetes-manifests.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubernetes-'));
const secrets = join(folder, 'secrets');
const all: [string, Workload][] = workloads.map((workload) => [workload.kind, workload]);
const lasting: [string, Workload][] = [receivers, workers].map((workload) => [workload.kind, workload]);

beforeAll(() => makeSecrets(secrets));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const generated = (name: string) => kustomization.configMapGenerator.find((map) => map.name === name);
const settings = parseEnv(read(`${FOLDER}/settings.env`));
const volumesOf = (workload: Workload) => [
  ...podOf(workload).volumes.map(({ name }) => name),
  ...(workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
];
const mountsOf = (workload: Workload) =>
  Object.fromEntries(containerOf(workload).volumeMounts.map(({ mountPath, ...mount }) => [mountPath, mount]));

test('there is a workload of each kind', () => {
  expect(workloads.map(({ kind }) => kind).toSorted()).toEqual(['Deployment', 'Job', 'StatefulSet']);
});

describe.each(all)('%s', (_, workload) => {
  const pod = podOf(workload);
  const container = containerOf(workload);

  test('may do nothing that it need not', () => {
    const [user, group] = findInstruction(image, 'USER').rest.split(':').map(Number);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: group,
      fsGroup: group,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    expect(pod.containers).toHaveLength(1);
  });

  test('says what it needs of the machine', () => {
    const { requests, limits } = container.resources;
    expect(Object.keys(requests).toSorted()).toEqual(['cpu', 'memory']);
    expect(quantity(limits['memory'] ?? '')).toBeGreaterThanOrEqual(quantity(requests['memory'] ?? ''));
    // All the bodies held at once, beside the process itself.
    expect(quantity(limits['memory'] ?? '')).toBeGreaterThan(4 * bytesOf(CATALOGUE.MAX_BUFFERED.default));
  });

  test('mounts what is declared, all of it, and writes only where it is meant to', () => {
    const mounts = mountsOf(workload);
    expect(
      Object.values(mounts)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(volumesOf(workload).toSorted());
    const writable = Object.keys(mounts).filter((path) => mounts[path]?.readOnly !== true);
    expect(writable.toSorted()).toEqual(['/data', '/tmp']);
  });

  test('sets only what is a setting, and no secret by its value', () => {
    const environment = environmentOf(workload);
    expect(unknownSettings(Object.keys(environment))).toEqual([]);
    const open = Object.entries(environment).filter(
      ([name, value]) => isSettingName(name) && isSecretSetting(name) && value,
    );
    expect(open).toEqual([]);
  });

  test('has each secret as a file where its setting looks for it, and no other', () => {
    const paths = Object.entries(environmentOf(workload)).flatMap(([name, path]) =>
      name.endsWith('_FILE') ? [path] : [],
    );
    const { secret } = pod.volumes.find(({ name }) => name === 'secrets') ?? {};
    const mounted = secret?.items.map(({ path }) => `/run/secrets/instantly/${path}`) ?? [];
    expect(mounted.toSorted()).toEqual(paths.toSorted());
    expect(mountsOf(workload)['/run/secrets/instantly']?.name).toBe('secrets');
    // Readable by the group, which is the pod's own, and by nobody else.
    expect(secret?.defaultMode).toBe(0o440);
  });

  test('its secrets are those that the instructions make', () => {
    const { secret } = pod.volumes.find(({ name }) => name === 'secrets') ?? {};
    const instructions = read(`${FOLDER}/README.md`);
    expect(instructions).toContain(`kubectl create secret generic ${secret?.secretName} `);
    for (const { key } of secret?.items ?? []) {
      expect(instructions).toContain(`--from-file=secrets/${key}`);
      expect(readdirSync(secrets)).toContain(key);
    }
  });
});

describe.each(lasting)('%s', (kind, workload) => {
  const pod = podOf(workload);
  const container = containerOf(workload);
  const role = kind === 'StatefulSet' ? 'receiver' : 'worker';

  test('its settings load without a fault or a warning', () => {
    const environment = { ...imageSettings(), ...(settings as Record<string, string>), ...environmentOf(workload) };
    const places = { '/data': join(folder, 'data'), '/run/secrets/instantly': secrets, '/app/handlers': folder };
    const env = relocate(environment, places);
    const loaded = loadSettings({ env, cwd: folder, create: true });
    expect(loaded.warnings).toEqual([]);
    expect(loaded).toMatchObject({ production: true, role, http: { trustProxy: 1 } });
    expect(loaded.store).toMatchObject({ kind: 'postgres', spill: { file: join(folder, 'data/spill.db') } });
  });

  test('gets the settings and the handlers that kustomize makes ConfigMaps of', () => {
    expect(container.envFrom?.map(({ configMapRef }) => configMapRef.name)).toEqual(['instantly-settings']);
    expect(generated('instantly-settings')?.envs).toEqual(['settings.env']);
    const { configMap } = pod.volumes.find(({ name }) => name === 'handlers') ?? {};
    expect(generated(configMap?.name ?? '')?.files?.length).toBeGreaterThan(0);
    expect(mountsOf(workload)[imageSettings()['HANDLERS_DIR'] ?? '']?.name).toBe('handlers');
  });

  test('is asked at paths that are served, on the port that the image listens on', () => {
    expect(container.ports).toEqual([{ name: 'http', containerPort: Number(findInstruction(image, 'EXPOSE').rest) }]);
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    // Whether it lives must not depend on PostgreSQL: a restart would not bring that back.
    expect(probes.map((probe) => probe?.httpGet.path)).toEqual(['/healthz', '/healthz', '/readyz']);
    for (const probe of probes) {
      expect(servedPaths()).toContain(probe?.httpGet.path);
      expect(probe?.httpGet.port).toBe('http');
    }
    const { periodSeconds = 0, failureThreshold = 0 } = container.startupProbe ?? {};
    expect(periodSeconds * failureThreshold).toBeGreaterThanOrEqual(30);
  });

  test('has longer to end than it takes', () => {
    const [command, seconds = '0'] = container.lifecycle?.preStop.exec.command ?? ['sleep'];
    expect(command).toBe('sleep');
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(seconds) + 10);
    // Only what is sent requests has to wait until they go elsewhere.
    expect(Number(seconds) > 0).toBe(role === 'receiver');
  });

  test('spreads its own pods, and is as many as the autoscaler says', () => {
    const constraints = pod.topologySpreadConstraints ?? [];
    expect(constraints.length).toBeGreaterThan(0);
    for (const { labelSelector } of constraints) {
      expect(labelSelector.matchLabels).toEqual(workload.spec.template.metadata.labels);
    }
    expect(workload.spec.selector?.matchLabels).toEqual(workload.spec.template.metadata.labels);
    expect(workload.spec.replicas).toBeUndefined();
  });

  test('runs the image that kustomize names', () => {
    expect(container.image).toBe(kustomization.images[0].name);
  });
});

describe('the spill', () => {
  const [claim] = receivers.spec.volumeClaimTemplates ?? [];

  test('outlives its pod, its number and its StatefulSet', () => {
    expect(receivers.spec.persistentVolumeClaimRetentionPolicy).toEqual({
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
    });
    expect(mountsOf(receivers)['/data']?.name).toBe(claim?.metadata.name);
    expect(claim?.spec.accessModes).toEqual(['ReadWriteOnce']);
    expect(imageSettings()['SPILL_DATABASE_URL']).toMatch(/^sqlite:\/data\//);
  });

  test('has the room that it may take', () => {
    const limit = settings['SPILL_LIMIT'] ?? CATALOGUE.SPILL_LIMIT.default;
    const free = settings['MIN_FREE_DISK'] ?? CATALOGUE.MIN_FREE_DISK.default;
    const room = quantity(claim?.spec.resources.requests.storage ?? '');
    expect(room).toBeGreaterThan(bytesOf(limit) + bytesOf(free));
  });

  test('that is left behind can be drained: the volume of a receiver, the file that the image names', () => {
    const { persistentVolumeClaim } = podOf(drain).volumes.find(({ name }) => name === 'data') ?? {};
    const stem = `${claim?.metadata.name}-${receivers.metadata.name}-`;
    expect(persistentVolumeClaim?.claimName).toMatch(new RegExp(`^${stem}\\d+$`));
    expect(containerOf(drain).args).toEqual(['store', 'drain', '/data/spill.db']);
    expect(imageSettings()['SPILL_DATABASE_URL']).toBe('sqlite:/data/spill.db');
    const { newName, newTag } = kustomization.images[0];
    expect(containerOf(drain).image).toBe(`${newName}:${newTag}`);
  });
});

describe('the ConfigMaps', () => {
  test('settings.env holds settings, no secret, and nothing that the manifests set', () => {
    expect(Object.keys(settings).length).toBeGreaterThan(0);
    expect(unknownSettings(Object.keys(settings))).toEqual([]);
    const names = [receivers, workers].flatMap((workload) => Object.keys(environmentOf(workload)));
    expect(Object.keys(settings).filter((name) => names.includes(name) || name.includes('SECRET'))).toEqual([]);
    expect(Object.keys(settings).filter((name) => isSettingName(name) && isSecretSetting(name))).toEqual([]);
    // kustomize takes a quote for a part of the value.
    expect(read(`${FOLDER}/settings.env`)).not.toMatch(/^[^#].*['"]/m);
  });

  test('every handler file is named, and loads as Kubernetes mounts it', async () => {
    const files = generated('instantly-handlers')?.files ?? [];
    const names = files.map((file) => basename(file));
    expect(readdirSync(join(REPOSITORY, FOLDER, 'handlers')).toSorted()).toEqual(names.toSorted());
    // The files lie in a folder with a time for a name; what is mounted are links, by way of a link that is exchanged.
    const mount = join(folder, 'handlers');
    mkdirSync(join(mount, '..2025_01_01_00_00_00.1'), { recursive: true });
    symlinkSync('..2025_01_01_00_00_00.1', join(mount, '..data'));
    for (const file of files) {
      await copyFile(join(REPOSITORY, FOLDER, file), join(mount, '..data', basename(file)));
      symlinkSync(join('..data', basename(file)), join(mount, basename(file)));
    }
    const { handlers, warnings } = await loadHandlers(mount);
    expect(warnings).toEqual([]);
    expect(handlers.map(({ handler }) => handler)).toEqual(names.map((name) => name.replace(/\.ts$/, '')));
    expect(readFileSync(join(mount, names[0] ?? ''), 'utf8')).toContain('defineHandler');
  });
});
