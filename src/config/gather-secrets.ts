import { dirname } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import { isSecretSetting, SETTING_NAMES } from './catalogue.ts';
import { findLocalFile } from './find-local-file.ts';
import { type Keeping, type KeptSecret, keepSecret, liesWithin, makeDataFolder } from './keep-secrets.ts';
import type { Environment } from './read-environment.ts';
import { show } from './read-text-file.ts';
import type { Secret } from './secret.ts';
import type { GeneratedSecret, SecretOrigin } from './settings.ts';
import type { ParsedSettings } from './settings-schema.ts';

/** The secrets a process works with, wherever they came from. */
export interface SecretsInUse {
  readonly signatureKeys: readonly Secret[];
  readonly tokens: readonly Secret[];
  /** Only a process that may not make one can be without. */
  readonly auditKey: Secret | undefined;
  readonly generated: readonly GeneratedSecret[];
  readonly origins: Readonly<Record<string, SecretOrigin>>;
  /** Those of NAME_FILE variables, by NAME. */
  readonly files: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/**
 * Takes the secrets that were set, and the kept or newly made ones in place of those that were not.
 *
 * @throws SettingsError
 */
export function gatherSecrets(parsed: ParsedSettings, environment: Environment, create: boolean): SecretsInUse {
  const local = findLocalFile(parsed);
  const dataDir = dirname(local.file);
  if (create) makeDataFolder(local);

  const kept = keepAll(listMissing(parsed), { dataDir, scheme: parsed.INSTANTLY_SIGNATURE_SCHEME, create });
  const [signature, token, audit] = (['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN', 'AUDIT_KEY'] as const).map(
    (name) => kept.find((secret) => secret.name === name),
  );

  return {
    signatureKeys: parsed.INSTANTLY_SECRET ?? signature?.secrets ?? [],
    tokens: parsed.INSTANTLY_WEBHOOK_TOKEN ?? token?.secrets ?? [],
    auditKey: parsed.AUDIT_KEY ?? audit?.secrets[0],
    generated: kept.map(({ name, file, created }) => ({ name, file, created })),
    origins: findOrigins(
      environment,
      kept.map(({ name }) => name),
    ),
    files: Object.fromEntries(environment.files),
    warnings: [
      ...kept.flatMap(({ warnings }) => warnings),
      ...findAuditKeyWeakness(parsed, dataDir, audit?.file, environment.files.get('AUDIT_KEY')),
    ],
  };
}

/** The secrets that are not set and that a kept one stands in for. Production runs on none that nobody chose, save the
 * audit key of a SQLite file, which no other process needs. */
function listMissing(parsed: ParsedSettings): GeneratedSecret['name'][] {
  const production = parsed.NODE_ENV === 'production';
  const noneSet = parsed.INSTANTLY_SECRET === undefined && parsed.INSTANTLY_WEBHOOK_TOKEN === undefined;
  const receives = parsed.ROLE !== 'worker';
  const keepsAuditKey = !production || parsed.DATABASE_URL.kind === 'sqlite';
  return [
    ...(noneSet && receives && !production ? (['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN'] as const) : []),
    ...(parsed.AUDIT_KEY === undefined && keepsAuditKey ? (['AUDIT_KEY'] as const) : []),
  ];
}

/** @param kept where the key lies that stands in for one that is not set */
function findAuditKeyWeakness(
  { NODE_ENV, DATABASE_URL }: ParsedSettings,
  dataDir: string,
  kept: string | undefined,
  given: string | undefined,
): string[] {
  if (DATABASE_URL.kind === 'postgres') {
    if (kept === undefined) return [];
    return [
      `AUDIT_KEY is not set, and the one kept at ${show(kept)} is known to this folder alone: every other process and command on this database needs the same; set AUDIT_KEY for all of them`,
    ];
  }
  const file = kept ?? given;
  if (NODE_ENV !== 'production' || file === undefined || !liesWithin(file, dataDir)) return [];
  return [
    `the audit key lies at ${show(file)}, beside the entries it seals: whoever can change them there can seal them anew; keep it outside the data folder and set AUDIT_KEY_FILE`,
  ];
}

/** One fault hides no other here either. */
function keepAll(names: readonly GeneratedSecret['name'][], keeping: Keeping): KeptSecret[] {
  const kept: KeptSecret[] = [];
  const faults: string[] = [];
  for (const name of names) {
    try {
      const secret = keepSecret(name, keeping);
      if (secret !== undefined) kept.push(secret);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      faults.push(...error.faults);
    }
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return kept;
}

function findOrigins(environment: Environment, generated: readonly string[]): Record<string, SecretOrigin> {
  const origins: Record<string, SecretOrigin> = {};
  for (const name of SETTING_NAMES.filter(isSecretSetting)) {
    if (environment.files.has(name)) origins[name] = 'file';
    else if (environment.values.has(name)) origins[name] = 'environment';
    else if (generated.includes(name)) origins[name] = 'generated';
  }
  return origins;
}
