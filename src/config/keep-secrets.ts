import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import type { LocalFile } from './find-local-file.ts';
import { findSecretSlip } from './find-slip.ts';
import { makeSignatureKey, makeToken } from './make-secret.ts';
import { findUnfitKeys, parseKeys, parseOneSecret } from './parse-keys.ts';
import { normalise, warnOfPadding } from './read-environment.ts';
import { errnoCode, explainUnreadable, readTextFile, show, UnreadableFile } from './read-text-file.ts';
import type { Secret } from './secret.ts';
import type { GeneratedSecret } from './settings.ts';
import type { SignatureScheme } from './signature-schemes.ts';
import { writeNewFile } from './write-new-file.ts';

const LIMIT = 64 * 1024;

const FILES = {
  INSTANTLY_SECRET: 'instantly-secret',
  INSTANTLY_WEBHOOK_TOKEN: 'webhook-token',
  AUDIT_KEY: 'audit-key',
} as const satisfies Record<GeneratedSecret['name'], string>;

/** A generated secret with what is to be said about it. */
export interface KeptSecret extends GeneratedSecret {
  /** Not empty. */
  readonly secrets: readonly Secret[];
  readonly warnings: readonly string[];
}

export interface Keeping {
  readonly dataDir: string;
  readonly scheme: SignatureScheme;
  /** Whether a missing secret may be made; otherwise it is left out. */
  readonly create: boolean;
}

/** Where a generated secret lies. */
export function keptSecretFile(dataDir: string, name: GeneratedSecret['name']): string {
  return join(dataDir, FILES[name]);
}

/**
 * Reads the secret kept in the data folder, making it first where there is none.
 *
 * @returns `undefined` where there is none and none may be made
 * @throws SettingsError
 */
export function keepSecret(name: GeneratedSecret['name'], keeping: Keeping): KeptSecret | undefined {
  const file = keptSecretFile(keeping.dataDir, name);
  const created = keeping.create && !existsSync(file) && makeKept(name, file, keeping.scheme);
  const text = readKept(name, file, keeping.create);
  if (text === undefined) return undefined;
  const value = normalise(text);
  const warnings = name === 'AUDIT_KEY' ? warnOfAuditKey(file, text) : [];
  return { name, file, created, secrets: parseKept(name, file, value, keeping.scheme), warnings };
}

/**
 * Makes the data folder, for this user alone.
 *
 * @throws SettingsError
 */
export function makeDataFolder({ file, setting }: LocalFile): void {
  const dataDir = dirname(file);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SettingsError([
      `${setting} names a file in ${show(dataDir)}, a folder that cannot be made (${errnoCode(error)}); name another or let this user make it`,
    ]);
  }
}

/** Whether a file lies in a folder or below it, links followed. */
export function liesWithin(file: string, folder: string): boolean {
  const path = relative(followLinks(folder), followLinks(file));
  // Not by two dots alone: a file may be named "..key".
  return !path.startsWith(`..${sep}`);
}

function followLinks(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(followLinks(parent), basename(path));
}

function makeKept(name: GeneratedSecret['name'], file: string, scheme: SignatureScheme): boolean {
  const value = name === 'INSTANTLY_SECRET' ? makeSignatureKey(scheme) : makeToken();
  try {
    return writeNewFile(file, `${value}\n`, 0o600);
  } catch (error) {
    throw new SettingsError([
      `${name} is not set, and one cannot be made at ${show(file)} (${errnoCode(error)}); set ${name}, or let this user write to the folder`,
    ]);
  }
}

function readKept(name: string, file: string, mustExist: boolean): string | undefined {
  try {
    return readTextFile(file, LIMIT);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    if (error.code === 'ENOENT' && !mustExist) return undefined;
    throw new SettingsError([
      `${name} is not set, and the one kept at ${show(file)} cannot be read ${explainUnreadable(error)}; set ${name}, or mend the file`,
    ]);
  }
}

function parseKept(
  name: GeneratedSecret['name'],
  file: string,
  text: string,
  scheme: SignatureScheme,
): readonly Secret[] {
  const faults: string[] = [];
  if (name === 'AUDIT_KEY') {
    const parsed = parseOneSecret(text);
    if ('value' in parsed) return [parsed.value];
    faults.push(...parsed.faults);
  } else {
    const parsed = parseKeys(text);
    const unfit = 'value' in parsed && name === 'INSTANTLY_SECRET' ? findUnfitKeys(parsed.value, scheme) : [];
    if ('value' in parsed && unfit.length === 0) return parsed.value;
    faults.push(...('faults' in parsed ? parsed.faults : unfit));
  }
  throw new SettingsError(
    faults.map(
      (message) =>
        `${name} is not set, and the one kept at ${show(file)} ${message}; or set ${name}, or delete the file`,
    ),
  );
}

function warnOfAuditKey(file: string, text: string): string[] {
  const source = `AUDIT_KEY (kept at ${show(file)})`;
  const slip = findSecretSlip(normalise(text));
  return [
    ...warnOfPadding(source, text),
    ...(slip === undefined ? [] : [`${source} ${slip}, unless entries are sealed with it already`]),
  ];
}
