import { parse } from 'yaml';
import { interpolate, read } from './deploy-files.ts';

/** What the tests look at, of what Compose knows. */
export interface Service {
  readonly image: string;
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly init?: boolean;
  readonly read_only?: boolean;
  readonly privileged?: boolean;
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly restart?: string;
  readonly profiles?: readonly string[];
  readonly depends_on?: readonly string[];
  readonly deploy?: { readonly replicas: string };
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly healthcheck?: Readonly<Record<string, unknown>> & { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>> & { readonly receiver: Service };
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

export const compose: Compose = parse(read('docker-compose.yml'), { merge: true });
export const services = Object.entries(compose.services);

/** Those that run the receiver's own code and stay. */
export const processes = services.filter(([name, { image }]) => image.endsWith(':local') && name !== 'setup');

/** Those with the role, by name. */
export function withRole(role: string): string[] {
  return processes.flatMap(([name, { environment }]) => (environment?.['ROLE'] === role ? [name] : []));
}

export function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

/** What is mounted there, and how. */
export function mountAt({ volumes = [] }: Service, path: string): string | undefined {
  return volumes.map((volume) => volume.split(':')).find(([, target]) => target === path)?.[0];
}

/** What a service's process gets, with nothing of these variables set but what is given. */
export function environmentOf(
  { environment = {} }: Service,
  variables: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, interpolate(String(value), variables)]),
  );
}
