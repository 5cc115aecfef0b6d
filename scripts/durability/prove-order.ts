import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withToken } from '../../test/support/credentials.ts';
import { freshBody } from '../../test/support/payloads.ts';
import { wholePost } from '../../test/support/post.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { ENTRY } from '../../test/support/run-command.ts';
import { bodyMark, checkOrder, type OrderReport, requestMark } from './check-order.ts';
import { readTrace } from './read-trace.ts';
import { inFolder, withReceiver } from './trial.ts';

const REPOSITORY = dirname(dirname(ENTRY));
const ONE_BY_ONE = 50;
const CLIENTS = 32;
const EACH = 20;
/** Bytes of each write that the trace shows: a whole page of the log, a whole answer. */
const SHOWN = 4_200;
const TRACED = 'trace=fsync,fdatasync,pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,sendmmsg';

/** Under strace, every 200 follows a sync of the log that began after its event was written. */
export function proveOrder(entry = ENTRY): Promise<OrderReport> {
  return inFolder(async (folder) => {
    const trace = join(folder, 'trace');
    const strace = ['-s', String(SHOWN), '-o', trace, '-e', TRACED];
    const marks = await withReceiver(folder, { entry, strace }, async ({ receiver, end }) => {
      const alone = await send(receiver.port, 'alone', ONE_BY_ONE);
      const together = await Promise.all(
        Array.from({ length: CLIENTS }, (_, client) => send(receiver.port, `client${client}`, EACH)),
      );
      await end('SIGTERM');
      return [...alone, ...together.flat()];
    });
    return checkOrder(readTrace(readFileSync(trace, 'utf8')), marks);
  });
}

/** Gives the marks of those answered 200: of all. */
async function send(port: number, name: string, count: number): Promise<string[]> {
  const client = await RawClient.connect(port);
  const marks = Array.from({ length: count }, (_, n) => `${name}n${n}`);
  for (const mark of marks) {
    const body = freshBody({ reply_text: bodyMark(mark) });
    const answer = await client.send(wholePost(body, withToken, `x-request-id: ${requestMark(mark)}`)).answer();
    if (answer?.status !== 200) throw new Error(`an event was answered ${String(answer?.status)}`);
  }
  client.destroy();
  return marks;
}

/** The same of a copy that syncs only now and then, in which the check has to find fault. */
export function proveOrderCanFail(): Promise<OrderReport> {
  return inFolder((copy) => {
    for (const name of ['bin', 'src', 'migrations', 'package.json']) {
      cpSync(join(REPOSITORY, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
    const file = join(copy, 'src', 'stores', 'sqlite', 'connection.ts');
    const source = readFileSync(file, 'utf8');
    const weakened = source.replace('PRAGMA synchronous = FULL', 'PRAGMA synchronous = NORMAL');
    if (weakened === source) throw new Error(`${file} no longer says how it syncs`);
    writeFileSync(file, weakened);
    return proveOrder(join(copy, 'bin', 'instantly-receiver.js'));
  });
}
