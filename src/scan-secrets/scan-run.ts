import type { Findings } from './gather-findings.ts';
import type { Tally } from './report.ts';
import type { ThreadPool } from './thread-pool.ts';

export type ScanPhase = 'tree' | 'history';

export type OnProgress = (phase: ScanPhase, done: number, total: number) => void;

/** What the steps of one scan share. */
export class ScanRun {
  /** Absolute path. */
  readonly dir: string;
  readonly pool: ThreadPool;
  readonly tally: Tally;
  readonly findings: Findings;
  readonly signal: AbortSignal;
  readonly #onProgress: OnProgress;

  constructor(parts: Pick<ScanRun, 'dir' | 'pool' | 'tally' | 'findings' | 'signal'>, onProgress: OnProgress) {
    this.dir = parts.dir;
    this.pool = parts.pool;
    this.tally = parts.tally;
    this.findings = parts.findings;
    this.signal = parts.signal;
    this.#onProgress = onProgress;
  }

  /** @returns to be called for each that is done */
  startPhase(phase: ScanPhase, total: number): () => void {
    let done = 0;
    this.#onProgress(phase, done, total);
    return () => {
      done += 1;
      this.#onProgress(phase, done, total);
    };
  }

  /** Without those whose every path `.secretlintignore` names. */
  async dropIgnored<T>(items: readonly T[], pathsOf: (item: T) => readonly string[]): Promise<readonly T[]> {
    const ignored = await this.pool.ignored(items.flatMap(pathsOf));
    this.signal.throwIfAborted();
    if (ignored === undefined) {
      this.tally.noteOnce('The patterns of .secretlintignore take too long and were not used.');
      return items;
    }
    let at = 0;
    const kept = items.filter((item) => {
      const flags = ignored.slice(at, at + pathsOf(item).length);
      at += flags.length;
      return !flags.every(Boolean);
    });
    this.tally.skip('ignored', items.length - kept.length);
    return kept;
  }
}
