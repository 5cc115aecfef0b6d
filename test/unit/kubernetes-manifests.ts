import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { REPOSITORY, read } from './deploy-files.ts';

export const FOLDER = 'deploy/kubernetes';

type Labels = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface Volume {
  readonly name: string;
  readonly emptyDir?: { readonly sizeLimit: string };
  readonly configMap?: { readonly name: string };
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly secret?: {
    readonly secretName: string;
    readonly defaultMode: number;
    readonly items: readonly { readonly key: string; readonly path: string }[];
  };
}

export interface Pod {
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
  readonly containers: readonly [Container];
  readonly volumes: readonly Volume[];
}

interface Claim {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly accessModes: readonly string[];
    readonly resources: { readonly requests: { readonly storage: string } };
  };
}

/** A document of any kind, with what the tests look at. */
export interface Manifest {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface Workload extends Manifest {
  readonly spec: Manifest['spec'] & {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly persistentVolumeClaimRetentionPolicy?: Labels;
    readonly selector?: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod };
    readonly volumeClaimTemplates?: readonly Claim[];
  };
}

interface Kustomization {
  readonly resources: readonly string[];
  readonly images: readonly [{ readonly name: string; readonly newName: string; readonly newTag: string }];
  readonly configMapGenerator: readonly {
    readonly name: string;
    readonly envs?: readonly string[];
    readonly files?: readonly string[];
  }[];
}

export const kustomization: Kustomization = parse(read(`${FOLDER}/kustomization.yaml`));

export const manifests: readonly Manifest[] = readdirSync(join(REPOSITORY, FOLDER))
  .filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml')
  .flatMap((file) =>
    parseAllDocuments(read(`${FOLDER}/${file}`)).map((document) => {
      if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join('; ')}`);
      return { file, ...document.toJS() };
    }),
  );

export function ofKind(kind: string): readonly Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind);
}

export function find(kind: string, name: string): Manifest {
  const found = ofKind(kind).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

const isWorkload = (manifest: Manifest): manifest is Workload => 'template' in manifest.spec;

export const workloads: readonly Workload[] = manifests.filter(isWorkload);
export const receivers = find('StatefulSet', 'instantly-receiver') as Workload;
export const workers = find('Deployment', 'instantly-worker') as Workload;
export const drain = workloads.find(({ kind }) => kind === 'Job') as Workload;

export const podOf = ({ spec }: Workload): Pod => spec.template.spec;
export const containerOf = (workload: Workload): Container => podOf(workload).containers[0];

export const environmentOf = (workload: Workload): Record<string, string> =>
  Object.fromEntries(containerOf(workload).env.map(({ name, value }) => [name, value]));

/** Which workloads that stay a label selector finds. */
export function selected(labels: Labels): string[] {
  return [receivers, workers]
    .filter(({ spec }) =>
      Object.entries(labels).every(([name, value]) => spec.template.metadata.labels[name] === value),
    )
    .map(({ metadata }) => metadata.name ?? '');
}

/** Bytes of a Kubernetes quantity such as 2Gi. */
export function quantity(text: string): number {
  const [, number, unit = ''] = /^(\d+)(Ki|Mi|Gi)$/.exec(text) ?? [];
  const power = ['Ki', 'Mi', 'Gi'].indexOf(unit) + 1;
  if (power === 0) throw new Error(`not a quantity of bytes: ${text}`);
  return Number(number) * 1024 ** power;
}
