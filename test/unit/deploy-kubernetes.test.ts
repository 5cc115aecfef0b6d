import { describe, expect, test } from '@jest/globals';
import { CATALOGUE } from '../../src/config/catalogue.ts';
import { bytesOf } from './deploy-files.ts';
import {
  containerOf,
  find,
  kustomization,
  type Manifest,
  manifests,
  ofKind,
  podOf,
  receivers,
  selected,
  workers,
} from './kubernetes-manifests.ts';

type Labels = Readonly<Record<string, string>>;

/** Of a kind that the tests know by what it is for. */
function specOf<Spec>({ spec }: Manifest): Spec {
  return spec as Spec;
}

interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly publishNotReadyAddresses?: boolean;
  readonly selector: Labels;
  readonly ports: readonly [{ readonly name: string; readonly targetPort: string }];
}

/** What PostgreSQL gives to those who are not its superuser, unless it is told otherwise. */
const POSTGRES_CONNECTIONS = 97;
/** Commits, replays, reads, long reads, listening, export: what docs/scaling.md adds up. */
const CONNECTIONS_OF_A_PROCESS = 12;

describe('kustomization.yaml', () => {
  test('names every file but the examples', () => {
    const files = [...new Set(manifests.map(({ file }) => file))];
    const examples = ['drain-spill.yaml', 'ingress.yaml'];
    expect(kustomization.resources.toSorted()).toEqual(files.filter((file) => !examples.includes(file)).toSorted());
    expect(files).toEqual(expect.arrayContaining(examples));
  });

  test('leaves the namespace to whoever applies it, and names everything once', () => {
    expect(manifests.filter(({ metadata }) => metadata.namespace !== undefined)).toEqual([]);
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('no Secret is in the repository', () => {
    expect(ofKind('Secret')).toEqual([]);
  });

  test('uses versions of the API that are stable', () => {
    expect(manifests.filter(({ apiVersion }) => /alpha|beta/.test(apiVersion))).toEqual([]);
  });
});

describe('Services', () => {
  const services = ofKind('Service').map((manifest) => ({ ...manifest, ...specOf<ServiceSpec>(manifest) }));

  test('find the receivers and no worker, on the port that they listen on', () => {
    expect(services).toHaveLength(2);
    for (const { selector, ports } of services) {
      expect(selected(selector)).toEqual(['instantly-receiver']);
      expect(containerOf(receivers).ports?.map(({ name }) => name)).toContain(ports[0].targetPort);
    }
  });

  test('one is for webhooks, one gives each receiver its name, ready or not', () => {
    expect(services.map(({ type }) => type)).toEqual(['ClusterIP', undefined]);
    const headless = services.find(({ clusterIP }) => clusterIP === 'None');
    expect(headless?.metadata.name).toBe(receivers.spec.serviceName);
    expect(headless?.publishNotReadyAddresses).toBe(true);
  });

  test('the Ingress leads the path of webhooks, and no other, to the one for them', () => {
    const ingress = find('Ingress', 'instantly-receiver');
    const { rules, tls } = specOf<{ rules: [{ host: string; http: unknown }]; tls: [{ hosts: string[] }] }>(ingress);
    expect(rules).toHaveLength(1);
    expect(rules[0].http).toEqual({
      paths: [
        {
          path: CATALOGUE.WEBHOOK_PATH.default,
          pathType: 'Prefix',
          backend: { service: { name: 'instantly-receiver', port: { name: 'http' } } },
        },
      ],
    });
    expect(tls[0].hosts).toEqual([rules[0].host]);
    const limit = ingress.metadata.annotations?.['nginx.ingress.kubernetes.io/proxy-body-size'] ?? '';
    expect(bytesOf(`${limit}b`)).toBeGreaterThan(bytesOf(CATALOGUE.BODY_LIMIT.default));
  });
});

describe('how many there are', () => {
  const scalers = ofKind('HorizontalPodAutoscaler').map((manifest) =>
    specOf<{
      scaleTargetRef: { apiVersion: string; kind: string; name: string };
      minReplicas: number;
      maxReplicas: number;
      behavior: { scaleDown: Readonly<Record<string, unknown>> };
    }>(manifest),
  );

  test('each autoscaler has its workload, and keeps two or more', () => {
    const targets = [receivers, workers].map(({ apiVersion, kind, metadata }) => ({
      apiVersion,
      kind,
      name: metadata.name,
    }));
    expect(scalers.map(({ scaleTargetRef }) => scaleTargetRef)).toEqual(targets);
    for (const { minReplicas, maxReplicas } of scalers) {
      expect(minReplicas).toBeGreaterThanOrEqual(2);
      expect(maxReplicas).toBeGreaterThan(minReplicas);
    }
  });

  test('no receiver is taken away by itself, since its spill would go along', () => {
    expect(scalers.map(({ behavior }) => behavior.scaleDown['selectPolicy'])).toEqual(['Disabled', undefined]);
  });

  test('all of them, and one more during an update, find a connection', () => {
    const most = scalers.reduce((sum, { maxReplicas }) => sum + maxReplicas, 0);
    const { rollingUpdate } = workers.spec['strategy'] as { rollingUpdate: { maxSurge: number } };
    expect((most + rollingUpdate.maxSurge) * CONNECTIONS_OF_A_PROCESS).toBeLessThanOrEqual(POSTGRES_CONNECTIONS);
  });

  test('one of each may be missing at a time', () => {
    const budgets = ofKind('PodDisruptionBudget').map((manifest) =>
      specOf<{ maxUnavailable: number; selector: { matchLabels: Labels } }>(manifest),
    );
    expect(budgets.map(({ maxUnavailable }) => maxUnavailable)).toEqual([1, 1]);
    const found = budgets.map(({ selector }) => selected(selector.matchLabels));
    expect(found).toEqual([['instantly-receiver'], ['instantly-worker']]);
  });
});

describe('who may talk to whom', () => {
  interface Policy {
    readonly podSelector: { readonly matchLabels: Labels };
    readonly policyTypes: readonly string[];
    readonly ingress: readonly [
      { readonly from: readonly unknown[]; readonly ports: readonly [{ readonly port: unknown }] },
    ];
    readonly egress?: readonly { readonly ports: readonly { readonly port: number }[] }[];
  }
  const policies = ofKind('NetworkPolicy').map((manifest) => specOf<Policy>(manifest));

  test('each policy has its pods, and opens the port of HTTP alone to those it names', () => {
    const found = policies.map(({ podSelector }) => selected(podSelector.matchLabels));
    expect(found).toEqual([['instantly-receiver'], ['instantly-worker']]);
    for (const { ingress } of policies) {
      expect(ingress).toHaveLength(1);
      expect(ingress[0].from.length).toBeGreaterThan(0);
      expect(ingress[0].ports.map(({ port }) => port)).toEqual(['http']);
    }
  });

  test('receivers reach names and PostgreSQL alone, workers whatever their handlers need', () => {
    const [receiver, worker] = policies;
    const ports = receiver?.egress?.flatMap((rule) => rule.ports.map(({ port }) => port)) ?? [];
    expect(new Set(ports)).toEqual(new Set([53, 5432]));
    expect(receiver?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(worker?.policyTypes).toEqual(['Ingress']);
  });

  test('a handler reaches nothing by the rights of its pod', () => {
    expect([receivers, workers].map((workload) => podOf(workload).automountServiceAccountToken)).toEqual([
      false,
      false,
    ]);
  });
});
