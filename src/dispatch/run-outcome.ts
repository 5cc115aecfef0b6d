/** How an attempt failed. */
export type RunFailure = 'threw' | 'timed-out' | 'thread-ended' | 'not-loaded';

export type RunOutcome =
  | { readonly kind: 'done' }
  /** `error` is masked, kept with the delivery and logged. */
  | { readonly kind: 'failed'; readonly failure: RunFailure; readonly error: string; readonly where?: string }
  /** Not finished, through no fault of its own: the attempt does not count. */
  | { readonly kind: 'released' };
