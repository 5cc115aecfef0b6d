import type { Store } from './store.ts';

const PREFIX = 'notice:';

type NoticeStore = Pick<Store, 'readDocument' | 'writeDocument'>;

/** Whether a line that is logged once in a period is due. */
export async function isNoticeDue(
  store: Pick<Store, 'readDocument'>,
  name: string,
  periodMs: number,
  now: number,
): Promise<boolean> {
  return (await read(store, name, periodMs, now)).isDue;
}

/**
 * @param now epoch milliseconds
 * @returns whether this process has to log it: of all with this store one has to, once in a period, however often they restart
 */
export async function claimNotice(store: NoticeStore, name: string, periodMs: number, now: number): Promise<boolean> {
  const { isDue, version } = await read(store, name, periodMs, now);
  return isDue && (await store.writeDocument(PREFIX + name, String(now), version));
}

/** A time that is yet to come was written before the clock was set back. */
async function read(store: Pick<Store, 'readDocument'>, name: string, periodMs: number, now: number) {
  const document = await store.readDocument(PREFIX + name);
  const at = Number(document?.text ?? Number.NaN);
  return { isDue: !(now >= at && now - at < periodMs), version: document?.version ?? 0 };
}
