import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { type Checked, checkCase, type Expected } from './check-case.ts';
import type { RawAnswer } from './parse-answer.ts';
import { type RunningReceiver, startReceiver } from './start-receiver.ts';

export interface Row {
  readonly name: string;
  readonly send: (running: RunningReceiver) => Promise<RawAnswer>;
  readonly expected: Expected;
  /** What else must hold. */
  readonly check?: (checked: Checked, running: RunningReceiver) => void | Promise<void>;
}

export type Sender = Row['send'];

/** One row: what is sent, what comes of it. */
export function row(name: string, send: Sender, expected: Expected, check?: Row['check']): Row {
  return { name, send, expected, ...(check === undefined ? {} : { check }) };
}

/** Runs the rows against one receiver with these settings. */
export function runTable(title: string, env: NodeJS.ProcessEnv, rows: readonly Row[]): void {
  describe(title, () => {
    let running: RunningReceiver;
    beforeAll(async () => {
      // Many a row fails to authenticate, all from one address.
      running = await startReceiver({ FAILED_AUTH_PER_MINUTE: '100000', ...env });
    });
    afterAll(() => running.stop());

    test.each(rows.map((each) => [each.name, each] as const))('%s', async (_name, { send, expected, check }) => {
      const checked = await checkCase(running, send, expected);
      await check?.(checked, running);
    });
  });
}
