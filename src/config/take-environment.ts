import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { isSecretVariable } from './catalogue.ts';

/** Where proc_pid_stat(5) has the addresses of the environment's ends, counted from the field behind the program's name. */
const STARTS_AT = 47;
const ENDS_AT = 48;

/** The environment as the process was given it, for those who read settings. */
export interface TakenEnvironment {
  readonly env: NodeJS.ProcessEnv;
  /** Whether the system still shows secrets of it to code in this process, as far as that is known. */
  readonly isShown: boolean;
}

/**
 * Takes our own secrets out of this process's environment: afterwards neither `process.env`, a report, a program that is started
 * nor, on Linux, `/proc/self/environ` has them. To be called once, before other code is loaded.
 */
export function takeEnvironment(): TakenEnvironment {
  const env = { ...process.env };
  process.report.excludeEnv = true;
  for (const name of Object.keys(env)) if (isSecretVariable(name)) delete process.env[name];
  return { env, isShown: process.platform === 'linux' && !clearShown() };
}

/**
 * Overwrites the values where the kernel put them at the start: what it shows of the environment is that memory, whatever becomes
 * of the variables.
 *
 * @returns whether none of them is shown
 */
function clearShown(): boolean {
  const shown = readShown();
  if (shown === undefined) return true;
  try {
    const values = findSecrets(shown);
    if (values.length === 0) return true;
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [start, end] = [Number(fields[STARTS_AT]), Number(fields[ENDS_AT])];
    if (!Number.isSafeInteger(end) || end - start !== shown.length) return false;
    const memory = openSync('/proc/self/mem', 'r+');
    try {
      const there = Buffer.alloc(shown.length);
      readSync(memory, there, 0, there.length, start);
      if (!there.equals(shown)) return false;
      for (const { at, length } of values) writeSync(memory, Buffer.alloc(length), 0, length, start + at);
    } finally {
      closeSync(memory);
    }
    return findSecrets(readShown() ?? shown).length === 0;
  } catch {
    // A system that allows reading alone, or another form of /proc.
    return false;
  }
}

/** @returns `undefined` where it is shown to no code of this process either */
function readShown(): Buffer | undefined {
  try {
    return readFileSync('/proc/self/environ');
  } catch {
    return undefined;
  }
}

/** The places of the values of our secrets among the variables, each of which ends with a NUL. */
function findSecrets(shown: Buffer): { readonly at: number; readonly length: number }[] {
  const found: { at: number; length: number }[] = [];
  for (let start = 0; start < shown.length; ) {
    const nul = shown.indexOf(0, start);
    const end = nul === -1 ? shown.length : nul;
    const equals = shown.indexOf('=', start);
    if (
      equals !== -1 &&
      equals < end - 1 &&
      shown[equals + 1] !== 0 &&
      isSecretVariable(shown.toString('latin1', start, equals))
    ) {
      found.push({ at: equals + 1, length: end - equals - 1 });
    }
    start = end + 1;
  }
  return found;
}
