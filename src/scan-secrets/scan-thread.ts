import { parentPort, workerData } from 'node:worker_threads';
import ignore from 'ignore';
import { maskPath, type Scanned, scanContent } from './scan-content.ts';
import type { Reply, Request, ThreadData } from './thread-messages.ts';

const data: ThreadData = workerData;
const rules = ignore().add(data.ignore);
const answer = (reply: Reply): void => parentPort?.postMessage(reply);

parentPort?.on('message', (request: Request) => {
  work(request).catch(() => answer({ kind: 'failed' }));
});

async function work(request: Request): Promise<void> {
  if (request.kind === 'ignored') {
    answer({ kind: 'ignored', ignored: request.paths.map((path) => ignore.isPathValid(path) && rules.ignores(path)) });
    return;
  }
  const { bytes, paths } = request;
  const tell = async (last: boolean, scanned: Scanned): Promise<void> => {
    const masked = scanned.hits.length === 0 ? [] : await Promise.all(paths.map((path) => maskPath(path, data)));
    answer({ kind: 'scanned', last, ...scanned, paths: masked });
  };
  await tell(true, await scanContent(bytes, paths[0] ?? '', data, (known) => tell(false, known)));
}
