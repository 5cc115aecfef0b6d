import { join } from 'node:path';
import { keptSecretFile } from '../config/keep-secrets.ts';
import { Secret } from '../config/secret.ts';
import type { Settings } from '../config/settings.ts';

/** Every secret that a receiver with these settings works with. */
export function secretsInUse(settings: Settings): Secret[] {
  const { authentication, instantly, store, secretOrigins } = settings;
  const single = [settings.metricsToken, settings.adminToken, instantly.readKey?.secret, instantly.writeKey?.secret];
  return [
    ...authentication.signatureKeys,
    ...authentication.tokens,
    // Where there is none, reading it throws.
    ...('AUDIT_KEY' in secretOrigins ? [settings.audit.key] : []),
    ...single.filter((secret) => secret !== undefined),
    ...(store.kind === 'postgres' ? passwordsIn(store.url) : []),
  ];
}

/** The file that the token of the settings is read from. */
export interface TokenHome {
  readonly path: string;
  readonly isDotenv: boolean;
}

/** @returns `undefined`: a variable of the environment, which no command can change for another process */
export function tokenHome({ generatedSecrets, secretFiles }: Settings): TokenHome | undefined {
  const name = 'INSTANTLY_WEBHOOK_TOKEN';
  const path = secretFiles[name] ?? generatedSecrets.find((one) => one.name === name)?.file;
  if (path !== undefined) return { path, isDotenv: false };
  if ((process.env[name] ?? '').trim() !== '') return undefined;
  return { path: join(process.cwd(), '.env'), isDotenv: true };
}

/** Absolute paths of the files that hold a secret and nothing else, whether they are there or not. */
export function secretHomes({ dataDir, generatedSecrets, secretFiles }: Settings): string[] {
  const kept = (['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN', 'AUDIT_KEY'] as const).map((name) =>
    keptSecretFile(dataDir, name),
  );
  return [...kept, ...generatedSecrets.map(({ file }) => file), ...Object.values(secretFiles)];
}

/** The password alone: the rest of the address is no secret, and settings have written it anew. */
function passwordsIn(address: Secret): Secret[] {
  const url = URL.parse(address.reveal());
  if (url === null) return [];
  const inQuery = url.searchParams.get('password');
  return [url.password, decodeURIComponent(url.password), inQuery ?? '']
    .filter((password) => password !== '')
    .map((password) => new Secret(password));
}
