/** Resolves when `work` has settled or its time is over, whichever comes first. */
export async function within(work: Promise<unknown>, milliseconds: number, signal?: AbortSignal): Promise<void> {
  let release = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    release = resolve;
  });
  const timer = setTimeout(release, milliseconds);
  signal?.addEventListener('abort', release);
  if (signal?.aborted === true) release();
  await Promise.race([work, over]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', release);
}
