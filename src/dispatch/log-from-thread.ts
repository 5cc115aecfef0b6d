import type { Writable } from 'node:stream';
import pino, { type Logger } from 'pino';
import type { ThreadSettings } from './thread-protocol.ts';
import { LineWriter } from './write-lines.ts';

/** Fields that every line of a running delivery carries. */
export type LogBindings = Readonly<Record<string, string | number>>;

/** The warning that a folder mounted from anywhere has no package.json: true, and of no use to anyone. */
const TYPELESS = 'MODULE_TYPELESS_PACKAGE_JSON';

/**
 * A logger that writes from this thread, and makes everything else that this thread prints (console, process.stdout,
 * warnings) a line of it. `current` gives the fields of whatever delivery is printing.
 */
export function logFromThread(settings: ThreadSettings, name: string, current: () => LogBindings): Logger {
  const note = (fields: object): string =>
    JSON.stringify({ level: 40, time: new Date().toISOString(), handler: name, ...current(), ...fields });
  const lines = new LineWriter(settings.logFd, {
    cut: (start, bytes) => note({ msg: 'a log line was cut', bytes, start }),
    dropped: (count) => note({ msg: 'log lines were dropped: too many within a second', count }),
  });
  const logger = pino(
    { level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => lines.write(line.endsWith('\n') ? line.slice(0, -1) : line) },
  ).child({ handler: name });
  redirect(process.stdout, (text) => logger.info({ ...current(), stream: 'stdout' }, text));
  redirect(process.stderr, (text) => logger.warn({ ...current(), stream: 'stderr' }, text));
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (!('code' in warning && warning.code === TYPELESS)) logger.warn({ warning: warning.name }, warning.message);
  });
  return logger;
}

/** Replaces what lies under the stream, not the stream: console and Node itself hold on to the object. */
function redirect(stream: Writable, log: (text: string) => void): void {
  const take = (chunk: unknown): void => {
    const text = String(chunk).trimEnd();
    if (text !== '') log(text);
  };
  stream._write = (chunk, _encoding, done) => {
    take(chunk);
    done();
  };
  stream._writev = (chunks, done) => {
    for (const { chunk } of chunks) take(chunk);
    done();
  };
}
