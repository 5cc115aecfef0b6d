import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export const ENTRY = fileURLToPath(new URL('../../bin/instantly-receiver.js', import.meta.url));

export interface Ran {
  /** The exit code, or the name of the signal that ended it. */
  readonly code: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Given on stdin; else it is empty. */
  readonly input?: string | Uint8Array;
}

const AT_ONCE = 4;

/** Most of a command's time goes into loading it. */
const CACHED = { NODE_COMPILE_CACHE: join(tmpdir(), 'receiver-compile-cache') };

/** `userId` of the entries of commands is then `operator:tester`, and stderr holds no audit lines. */
const QUIET = { OPERATOR: 'tester', LOG_AUDIT: 'off' };

/** A command as a process of its own, in a folder, with no other settings in its environment but what is given. */
export function spawnCommand(
  folder: string,
  words: readonly string[],
  { env = {}, input = '' }: CommandOptions = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [ENTRY, ...words], {
    cwd: folder,
    stdio: 'pipe',
    env: { ...CACHED, ...QUIET, ...env },
  });
  // A command that does not read its stdin may be gone before it is written.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return child;
}

export async function endOf(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  const [stdout, stderr, ended] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [code, signal] = ended as [number | null, NodeJS.Signals | null];
  return { code: code ?? signal, stdout, stderr };
}

export function runCommand(folder: string, words: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  return endOf(spawnCommand(folder, words, options));
}

/** Several commands in one folder, a few at a time. */
export async function runCommands(
  folder: string,
  forms: readonly (readonly string[])[],
  options: CommandOptions = {},
): Promise<Ran[]> {
  const ran: Ran[] = [];
  for (let at = 0; at < forms.length; at += AT_ONCE) {
    ran.push(...(await Promise.all(forms.slice(at, at + AT_ONCE).map((words) => runCommand(folder, words, options)))));
  }
  return ran;
}

/** What a command that has to succeed prints with --json. */
export async function runJson<T>(folder: string, words: readonly string[], options: CommandOptions = {}): Promise<T> {
  const { code, stdout, stderr } = await runCommand(folder, [...words, '--json'], options);
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${String(code)}: ${stderr}`);
  return JSON.parse(stdout);
}
