import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { delimiter, isAbsolute } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoCode } from '../config/read-text-file.ts';

/** Milliseconds in which git has to say something more; sorting a very long history takes it a while. */
const SILENCE_MS = 120_000;
const STDERR_LIMIT = 8_192;
const TEXT_LIMIT = 65_536;

/**
 * The folder may be a stranger's, and its `.git/config` can name programs in many places. None of them gets to run: no
 * hook, monitor, pager, signature check or transport, the last of which git would use by itself to fetch what a partial
 * clone lacks. Only plumbing commands are called, which read fewer of those settings still.
 */
const NOTHING_RUNS = [
  '--no-pager',
  ...Object.entries({
    'core.fsmonitor': 'false',
    'core.hooksPath': '/dev/null',
    'core.sshCommand': 'false',
    'credential.helper': '',
    'diff.external': '',
    'gc.auto': '0',
    'log.showSignature': 'false',
    'maintenance.auto': 'false',
    'protocol.allow': 'never',
    // A folder inside of the tree that looks like a repository is not taken for one.
    'safe.bareRepository': 'explicit',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
];

const ENVIRONMENT = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_NO_LAZY_FETCH: '1',
  // Both would show another history than the one that is there.
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_GRAFT_FILE: '/dev/null',
  // Faults are told apart by their words.
  LC_ALL: 'C',
} as const;

export type GitFault = 'absent' | 'no repository' | 'another owner' | 'time-out' | 'failed';

/** git could not do it. The message holds none of git's own words, which can hold an address with a password. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure';
  readonly fault: GitFault;

  constructor(fault: GitFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

export interface GitOptions {
  readonly signal: AbortSignal;
  /** Given on stdin. */
  readonly input?: AsyncIterable<string | Uint8Array> | Iterable<string>;
  readonly silenceMs?: number;
  /** Absolute path of another index than the repository's own: a hook of `git commit --all` or `git commit PATH` is given one. */
  readonly index?: string | undefined;
}

/**
 * What a git command prints, as it comes. It is ended when nobody reads on.
 *
 * @param dir absolute path
 * @throws GitFailure, the signal's reason, or what the input throws
 */
export async function* openGit(
  dir: string,
  args: readonly string[],
  { signal, input = [], silenceMs = SILENCE_MS, index }: GitOptions,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const child = spawn('git', ['-C', dir, ...NOTHING_RUNS, ...args], {
    env: { ...inherited(), ...ENVIRONMENT, ...(index === undefined ? {} : { GIT_INDEX_FILE: index }) },
    // In a group of its own, so that Ctrl-C reaches us alone and we say what it ends.
    detached: true,
    stdio: 'pipe',
  });
  const end = watchEnd(child);
  const fed = feed(child, input);
  let timedOut = false;
  const kill = (): void => {
    child.kill('SIGKILL');
    child.stdout.destroy();
  };
  signal.addEventListener('abort', kill);
  try {
    const chunks: AsyncIterator<Buffer> = child.stdout[Symbol.asyncIterator]();
    for (;;) {
      const timer = setTimeout(() => {
        timedOut = true;
        kill();
      }, silenceMs);
      const next = await chunks.next().catch(() => ({ done: true, value: undefined }) as const);
      clearTimeout(timer);
      if (next.done === true) break;
      yield next.value;
    }
    const fault = await fed;
    signal.throwIfAborted();
    // Before git's own end, of which it is the cause.
    if (fault !== undefined) throw fault;
    if (timedOut) throw new GitFailure('time-out', `git ${args[0]} said nothing for ${silenceMs / 1_000} s`);
    checkEnd(await end, args);
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}

/** All that a git command prints, which is little. */
export async function runGit(dir: string, args: readonly string[], options: GitOptions): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of openGit(dir, args, options)) {
    length += chunk.length;
    if (length > TEXT_LIMIT) throw new GitFailure('failed', `git ${args[0]} answers with more than it should`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface End {
  readonly code: number | null;
  readonly error?: unknown;
  readonly stderr: string;
}

function watchEnd(child: ChildProcessWithoutNullStreams): Promise<End> {
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < STDERR_LIMIT) stderr += text;
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, error, stderr }));
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

/** What the input threw, if it did. That git ended before it read all shows in its exit code. */
async function feed(child: ChildProcessWithoutNullStreams, input: NonNullable<GitOptions['input']>): Promise<unknown> {
  let fault: unknown;
  const watched = async function* (): AsyncGenerator<string | Uint8Array> {
    try {
      yield* input;
    } catch (error) {
      fault = error;
      child.kill('SIGKILL');
    }
  };
  await pipeline(Readable.from(watched()), child.stdin).catch(() => undefined);
  return fault;
}

function checkEnd({ code, error, stderr }: End, [command]: readonly string[]): void {
  if (code === 0) return;
  if (error !== undefined) {
    const absent = errnoCode(error) === 'ENOENT';
    throw new GitFailure(absent ? 'absent' : 'failed', `git cannot be run (${errnoCode(error)})`);
  }
  if (stderr.includes('dubious ownership') || stderr.includes('unsafe repository')) {
    throw new GitFailure('another owner', 'the repository belongs to another user');
  }
  if (stderr.includes('not a git repository')) throw new GitFailure('no repository', 'there is no repository');
  throw new GitFailure('failed', `git ${command} ended with ${code ?? 'a signal'}`);
}

/** Nothing of what steers git, which a hook of another repository sets too, and none of our own secrets. */
function inherited(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['HOME', 'XDG_CONFIG_HOME', 'USERPROFILE', 'SYSTEMROOT', 'TMPDIR', 'TEMP']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  // Not one of the folder itself, where a stranger could have put a program of that name.
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute);
  return { ...kept, PATH: folders.join(delimiter) };
}
