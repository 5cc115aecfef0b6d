import { constants, getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type Interpretation, interpretBody } from '../events/interpret-body.ts';
import { decodeBody } from '../events/parse-body.ts';
import { type SplitPage, splitPayloads } from '../events/split-payloads.ts';

// The thread that interprets large bodies, one at a time: parsing megabytes is no work for the thread that answers.

export type ToBodyThread =
  | { readonly id: number; readonly bytes: Uint8Array; readonly charset: string | null }
  /** A page of Instantly's delivery log. */
  | { readonly id: number; readonly page: Uint8Array };

export interface FromBodyThread {
  readonly id: number;
  readonly result: Interpretation | SplitPage;
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

port.on('message', (message: ToBodyThread) => {
  const { id } = message;
  if ('page' in message) {
    const result = splitPayloads(decodeBody(message.page, null));
    const move = result.payloads.map(({ buffer }) => buffer);
    port.postMessage({ id, result } satisfies FromBodyThread, move);
  } else {
    const result = withOwnKey(interpretBody(message.bytes, message.charset));
    port.postMessage({ id, result } satisfies FromBodyThread);
  }
});

/** A key is a view of a pool, all of which would be cloned with it. */
function withOwnKey(interpretation: Interpretation): Interpretation {
  return interpretation.ok ? { ...interpretation, dedupKey: Uint8Array.from(interpretation.dedupKey) } : interpretation;
}
