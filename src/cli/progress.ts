import { SingleBar } from 'cli-progress';

/** Milliseconds: what is over by then needs no bar. */
const SILENT_MS = 1_000;
/** Milliseconds between lines where nobody watches a terminal. */
const LINE_MS = 5_000;

export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** On stderr, from the second second on: a bar on a terminal, a line now and then elsewhere. Without a total it counts. */
export function startProgress(label: string, total?: number): Progress {
  let done = 0;
  let bar: SingleBar | undefined;
  const line = (): void => {
    process.stderr.write(`${label}: ${total === undefined ? done : `${done} of ${total}`}\n`);
  };
  let timer = setTimeout(() => {
    if (process.stderr.isTTY) {
      bar = startBar(label, total);
      bar.update(done);
      return;
    }
    line();
    timer = setInterval(line, LINE_MS);
  }, SILENT_MS);
  return {
    update: (value) => {
      done = value;
      bar?.update(value);
    },
    stop: () => {
      clearTimeout(timer);
      bar?.stop();
      bar = undefined;
    },
  };
}

function startBar(label: string, total: number | undefined): SingleBar {
  const format = total === undefined ? `${label}: {value}` : `${label} {bar} {value} of {total}, {eta_formatted} left`;
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    clearOnComplete: true,
    // Answers come in bursts; over a few of them no time left can be told.
    etaBuffer: 2_000,
    fps: 5,
    // It would swallow the SIGINT that is to end the process, and a terminal is to be left as it was found.
    gracefulExit: false,
    linewrap: true,
  });
  bar.start(total ?? 0, 0);
  return bar;
}
