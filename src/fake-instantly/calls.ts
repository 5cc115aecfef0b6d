import type { Operation } from './operations.ts';

/** A request below /api/v2. */
export interface Call {
  /** null where no operation has that method and path. */
  readonly operation: Operation | null;
  readonly method: string;
  /** Below /api/v2, without the query. */
  readonly path: string;
  /** null where no answer was given. */
  readonly status: number | null;
  /** null where no known key came with it. */
  readonly keyId: string | null;
  readonly userAgent: string | null;
  /** Its header `x-as-workspace`. */
  readonly asWorkspace: string | null;
  /** Epoch milliseconds. */
  readonly at: number;
}
