import { type ChildProcess, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageLayout } from './lay-out-image.ts';
import { findInstruction, readEnvironment } from './read-dockerfile.ts';

export interface Trial {
  readonly layout: ImageLayout;
  readonly empty: string;
  readonly data: string;
  readonly secrets: string;
  readonly port: number;
  /** Words before `run-isolated.sh`; `undefined` where this machine lets nobody make namespaces. */
  readonly unshare: readonly string[] | undefined;
}

interface Isolated {
  readonly file: string;
  readonly words: string[];
  readonly options: { readonly env?: Record<string, string>; readonly cwd?: string };
}

/** What to spawn so that `command`, in the image's own paths, runs as it would in a container. */
export function isolate(trial: Trial, command: readonly string[]): Isolated {
  const { stage, root } = trial.layout;
  const node = dirname(process.execPath);
  const environment = {
    ...readEnvironment(stage),
    PORT: String(trial.port),
    INSTANTLY_WEBHOOK_TOKEN_FILE: '/run/secrets/webhook-token',
    AUDIT_KEY_FILE: '/run/secrets/audit-key',
  };
  const cwd = findInstruction(stage, 'WORKDIR').rest;
  if (trial.unshare !== undefined) {
    const [file = '', ...words] = trial.unshare;
    const script = join(import.meta.dirname, 'run-isolated.sh');
    const pairs = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const mounts = [trial.empty, root, node, trial.data, trial.secrets];
    return { file, words: [...words, script, ...mounts, cwd, ...pairs, ...command], options: {} };
  }
  const place = (text: string) =>
    text
      .replace(/^((?:sqlite:)?)\/data\b/, `$1${trial.data}`)
      .replace(/^\/run\/secrets\b/, trial.secrets)
      .replace(/^\/app\b/, join(root, 'app'));
  const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, place(value)]));
  const [file = '', ...words] = command.map(place);
  return { file, words, options: { env: { ...env, PATH: `${node}:/usr/bin:/bin` }, cwd: place(cwd) } };
}

/** The call that gives namespaces of our own, as root or not. */
export function findUnshare(): string[] | undefined {
  const namespaces = ['--mount', '--pid', '--fork'];
  const asRoot = process.getuid?.() === 0;
  const words = ['unshare', ...(asRoot ? [] : ['--user', '--map-root-user']), ...namespaces];
  const [file = '', ...rest] = words;
  return spawnSync(file, [...rest, 'true']).status === 0 ? words : undefined;
}

/** The service is the process that unshare waits for; without isolation it is the process started. */
export function findReceiver(service: ChildProcess): number {
  const own = service.pid ?? 0;
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name) && parentOf(name) === own) return Number(name);
  }
  return own;
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    // It has ended since the folder was read.
    return undefined;
  }
}
