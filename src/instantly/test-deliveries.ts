import { z } from 'zod';
import type { Store } from '../inbox/store.ts';

const NAME = 'test-deliveries';
/** Ids that are kept, the newest first. */
const MOST = 200;

const eventIds = z.array(z.string());

/** Ids of the events that came because we had Instantly send a test. */
export async function readTestDeliveries(store: Pick<Store, 'readDocument'>): Promise<ReadonlySet<string>> {
  const document = await store.readDocument(NAME);
  const read = document && eventIds.safeParse(JSON.parse(document.text));
  return new Set(read?.success === true ? read.data : []);
}

export async function rememberTestDelivery(
  store: Pick<Store, 'readDocument' | 'writeDocument'>,
  eventId: string,
): Promise<void> {
  const others = [...(await readTestDeliveries(store))].filter((one) => one !== eventId);
  await store.writeDocument(NAME, JSON.stringify([eventId, ...others].slice(0, MOST)), null);
}
