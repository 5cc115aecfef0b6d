import { constants, getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type Interpretation, interpretBody } from '../events/interpret-body.ts';

// The thread that interprets large bodies, one at a time: parsing megabytes is no work for the thread that answers.

export interface ToBodyThread {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly charset: string | null;
}

export interface FromBodyThread {
  readonly id: number;
  readonly interpretation: Interpretation;
}

const port = parentPort;
if (port === null) throw new Error('body-thread.ts is started as a thread');

// On Linux a priority belongs to the thread, elsewhere to the whole process.
if (process.platform === 'linux') {
  try {
    setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
  } catch {
    // A sandbox may forbid it; everything works without.
  }
}

port.on('message', ({ id, bytes, charset }: ToBodyThread) => {
  port.postMessage({ id, interpretation: withOwnKey(interpretBody(bytes, charset)) } satisfies FromBodyThread);
});

/** A key is a view of a pool, all of which would be cloned with it. */
function withOwnKey(interpretation: Interpretation): Interpretation {
  return interpretation.ok ? { ...interpretation, dedupKey: Uint8Array.from(interpretation.dedupKey) } : interpretation;
}
