import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import { SettingsError } from '../../src/errors/problem.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder that is gone after the test. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'receiver-config-'));
  folders.push(folder);
  return folder;
}

export function writeIn(folder: string, name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

export function load(env: NodeJS.ProcessEnv, cwd = makeFolder(), create = true): Settings {
  return loadSettings({ env, cwd, create });
}

/** The faults that these variables meet; none where the settings load. */
export function faultsOf(env: NodeJS.ProcessEnv, cwd = makeFolder(), create = true): readonly string[] {
  try {
    loadSettings({ env, cwd, create });
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}

export const TOKEN = 'token-of-sixteen-or-more';
export const KEY = 'key-of-sixteen-or-more';
export const STANDARD_KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
