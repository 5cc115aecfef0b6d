import { sample } from '../events/make-sample.ts';
import type { Service } from './service.ts';
import type { JsonObject, WebhookEvent } from './shapes.ts';

export interface Emitted {
  readonly events: number;
  /** First attempts. */
  readonly delivered: number;
  readonly failed: number;
  /** Entries of the delivery log, the first hundred. */
  readonly attempts: readonly string[];
}

const SHOWN = 100;
/** Samples at once. */
const AT_ONCE = 100;

/** Something happens in the workspace. */
export async function raise(
  { analytics, deliveries, clock }: Service,
  payload: JsonObject,
  deliver: boolean,
): Promise<WebhookEvent[]> {
  analytics.count(payload, clock.now());
  return deliver ? await deliveries.emit(payload) : [];
}

export async function emitEvent(service: Service, payload: JsonObject): Promise<Emitted> {
  return report(1, await raise(service, payload, true));
}

export async function emitSamples(
  service: Service,
  { type, count, deliver }: { readonly type: string; readonly count: number; readonly deliver: boolean },
): Promise<Emitted> {
  const attempts: WebhookEvent[] = [];
  for (let made = 0; made < count; made += AT_ONCE) {
    const payloads = Array.from({ length: Math.min(AT_ONCE, count - made) }, () => nextSample(service, type));
    const some = await Promise.all(payloads.map((payload) => (payload ? raise(service, payload, deliver) : [])));
    attempts.push(...some.flat());
  }
  return report(count, attempts);
}

/** `undefined` where no sample has that name. */
export function nextSample({ clock, samples }: Service, type: string): JsonObject | undefined {
  samples.made += 1;
  return sample(type, { index: samples.made, now: clock.now() });
}

function report(events: number, attempts: readonly WebhookEvent[]): Emitted {
  const delivered = attempts.filter(({ success }) => success).length;
  return {
    events,
    delivered,
    failed: attempts.length - delivered,
    attempts: attempts.slice(0, SHOWN).map(({ id }) => id),
  };
}
