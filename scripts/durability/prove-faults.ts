import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SteadyLoad } from '../../test/support/steady-load.ts';
import { inFolder, requireAll, requireAnswers, until, withReceiver } from './trial.ts';

const CLIENTS = 8;
/** Bytes that make the log long enough for checkpoints within a few hundred events. */
const LARGE = 100_000;
/** Events after the last fault, at the least. */
const AFTERWARDS = 50;

export interface Fault {
  readonly name: string;
  /** Of the SQLite file: '' for itself, '-wal' for its log. */
  readonly of: '' | '-wal';
  /** For strace's `inject=`; the calls of the writing thread on that file are counted. */
  readonly inject: string;
  /** How many calls are to fail. */
  readonly times: number;
  /** Whether senders feel it; a failed checkpoint concerns nobody. */
  readonly refuses: boolean;
  readonly padding?: number;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'sync of the log: EIO',
    of: '-wal',
    inject: 'fsync,fdatasync:error=EIO:when=30..59',
    times: 30,
    refuses: true,
  },
  {
    name: 'every third sync of the log: EIO',
    of: '-wal',
    inject: 'fsync,fdatasync:error=EIO:when=30..120+3',
    times: 31,
    refuses: true,
  },
  {
    name: 'write of the log: ENOSPC',
    of: '-wal',
    inject: 'pwrite64:error=ENOSPC:when=600..629',
    times: 30,
    refuses: true,
  },
  {
    name: 'write of the log, mid-transaction: EIO',
    of: '-wal',
    inject: 'pwrite64:error=EIO:when=603..900+7',
    times: 43,
    refuses: true,
  },
  {
    name: 'sync of the log hangs for 7 s',
    of: '-wal',
    inject: 'fsync,fdatasync:delay_enter=7000000:when=60',
    times: 1,
    refuses: true,
  },
  {
    name: 'checkpoint, sync of the file: EIO',
    of: '',
    inject: 'fsync,fdatasync:error=EIO:when=3..5',
    times: 3,
    refuses: false,
    padding: LARGE,
  },
  {
    name: 'checkpoint, write of the file: ENOSPC',
    of: '',
    inject: 'pwrite64:error=ENOSPC:when=200..204',
    times: 5,
    refuses: false,
    padding: LARGE,
  },
];

export interface FaultReport {
  readonly injected: number;
  readonly refused: number;
  readonly stored: number;
  /** Milliseconds that a sender waited at the most. */
  readonly longestWait: number;
}

/** Faults of the disk are answered 503, then it goes on by itself, and nothing answered 200 is missing. */
export function proveFault({ of, inject, times, refuses, padding }: Fault): Promise<FaultReport> {
  return inFolder(async (folder) => {
    const trace = join(folder, 'trace');
    const file = join(folder, 'data', `receiver.db${of}`);
    const calls = inject.slice(0, inject.indexOf(':'));
    const strace = ['-o', trace, '-s', '0', '-P', file, '-e', `trace=${calls}`, '-e', `inject=${inject}`];
    const load = new SteadyLoad(CLIENTS, padding);
    const injected = (): number => [...readFileSync(trace, 'utf8').matchAll(/\((?:INJECTED|DELAYED)\)/g)].length;
    try {
      await withReceiver(folder, { strace }, async ({ receiver, end }) => {
        await load.aim(receiver.port);
        await until(() => injected() >= times, 'the faults');
        const before = load.accepted;
        await until(() => load.accepted >= before + AFTERWARDS, 'answers 200 after the faults');
        await end('SIGKILL');
      });
    } finally {
      await load.end();
    }
    const refused = requireAnswers(load);
    if (refused > 0 !== refuses) throw new Error(`${refused} were answered 503`);
    const longestWait = Math.max(...load.answers.map(({ waited }) => waited));
    return { injected: injected(), refused, stored: await requireAll(folder, load), longestWait };
  });
}
