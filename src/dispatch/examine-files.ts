import { errorCode } from './error-code.ts';
import { type KeptModules, noModules } from './kept-modules.ts';
import { startPrivateThread } from './private-channel.ts';
import type { FromLoaderThread, HandlerFacts, LoaderThreadOptions, ThreadSettings } from './thread-protocol.ts';

/** One for each file, in order. */
export type Examined = { readonly facts: HandlerFacts } | { readonly reasons: readonly string[] };

export interface ExamineOptions extends ThreadSettings {
  readonly env: NodeJS.ProcessEnv;
  /** For each file, milliseconds. */
  readonly limitMs: number;
}

export interface ExaminedFiles {
  readonly results: readonly Examined[];
  /** The code that was looked at, for the threads that will run it. */
  readonly modules: KeptModules;
}

/** Imports the files in a thread of their own. One that hangs or ends the thread is named, and the rest goes on in another. */
export async function examineFiles(
  dir: string,
  files: readonly string[],
  options: ExamineOptions,
): Promise<ExaminedFiles> {
  const results: Examined[] = [];
  const modules = noModules();
  while (results.length < files.length) {
    const { logLevel, logFd } = options;
    const found = await examineSome({ dir, files: files.slice(results.length), modules, logLevel, logFd }, options);
    results.push(...found);
  }
  return { results, modules };
}

/** Resolves with at least one result: of all files, or of those up to the one that cost the thread its life. */
function examineSome(data: LoaderThreadOptions, { env, limitMs }: ExamineOptions): Promise<Examined[]> {
  const { files, modules } = data;
  const results: Examined[] = [];
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let isFinished = false;
    const finish = (reason?: string): void => {
      isFinished = true;
      clearTimeout(timer);
      if (reason !== undefined && results.length < files.length) results.push({ reasons: [reason] });
      worker.removeAllListeners();
      // A late error of a thread that is being ended concerns nobody.
      worker.on('error', () => undefined);
      void worker.terminate();
      resolve(results);
    };
    const arm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(`it is not loaded after ${limitMs / 1_000} s`), limitMs);
    };
    arm();
    const hear = (message: FromLoaderThread): void => {
      if (isFinished) return;
      arm();
      if ('loaded' in message) {
        results.push({ facts: message.facts });
        for (const [key, url] of message.modules.resolved) modules.resolved.set(key, url);
        for (const [url, kept] of message.modules.sources) modules.sources.set(url, kept);
      }
      if ('failed' in message) results.push({ reasons: message.reasons });
      if (results.length === files.length) finish();
    };
    const { worker } = startPrivateThread(
      new URL('./loader-thread.ts', import.meta.url),
      data,
      { env, stdout: true, stderr: true, name: 'handler-loader' },
      hear,
    );
    worker.on('error', (error) => finish(`it ends the thread that loads it: ${errorCode(error) ?? 'unknown error'}`));
    worker.on('exit', () => finish('it ends the thread that loads it; a handler file must not call process.exit'));
  });
}
