import type { SettingName } from '../../config/catalogue.ts';
import type { Context } from './context.ts';

export type Status = 'ok' | 'warn' | 'fail' | 'skip';

/** One thing that was found out. Nothing in it is secret. */
export interface Finding {
  readonly status: Status;
  readonly found: string;
  /** What to do about it; `null`: nothing. */
  readonly fix: string | null;
}

export interface Line extends Finding {
  readonly check: string;
}

export interface Check {
  readonly name: string;
  /** What it goes by: where one of them is wrong, the check would tell of a default that nobody wants. */
  readonly needs: readonly SettingName[];
  /** @throws Skipped; whatever else it throws is a failure of its own */
  run(context: Context, signal: AbortSignal): readonly Finding[] | Promise<readonly Finding[]>;
}

/** It cannot be found out now, and that is no fault by itself. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
  readonly fix: string;

  constructor(found: string, fix: string) {
    super(found);
    this.fix = fix;
  }
}

export function ok(found: string): Finding {
  return { status: 'ok', found, fix: null };
}

export function warn(found: string, fix: string): Finding {
  return { status: 'warn', found, fix };
}

export function fail(found: string, fix: string): Finding {
  return { status: 'fail', found, fix };
}

export function skip(found: string, fix: string): Finding {
  return { status: 'skip', found, fix };
}
