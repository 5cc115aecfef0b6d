import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { isLoopbackAddress, isLoopbackHost } from '../config/is-loopback.ts';
import { sample } from '../events/make-sample.ts';
import { suggestSample } from '../events/suggest-type.ts';
import { ApiError } from './api-error.ts';
import { isObject } from './check-schema.ts';
import { TooManyDeliveries } from './deliveries.ts';
import { emitEvent, emitSamples } from './emit-events.ts';
import { faultSchema } from './fault-schema.ts';
import { failure, send, success } from './outcome.ts';
import { readJsonBody } from './read-body.ts';
import type { Service } from './service.ts';

export const CONTROL_PREFIX = '/_fake';

/** Payloads with inline images are megabytes long. */
const CONTROL_BODY_BYTES = 32 * 1024 * 1024;
const MAX_SAMPLES = 10_000;
const MAX_ADVANCE_MS = 366 * 86_400_000;

const samplesOf = z.strictObject({
  type: z.string().refine((type) => sample(type, { index: 0, now: 0 }) !== undefined, {
    error: ({ input }) => `there is no sample of this type${adviseSample(String(input))}`,
  }),
  count: z.int().min(1).max(MAX_SAMPLES).default(1),
  deliver: z.boolean().default(true),
});

function adviseSample(type: string): string {
  const meant = suggestSample(type);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

const advanceBy = z.strictObject({ ms: z.int().min(0).max(MAX_ADVANCE_MS) });

const limitOf = z.strictObject({ perSecond: z.int().min(1).nullable() });

type Run = (service: Service, body: unknown, id: string) => unknown;

const CONTROLS: Readonly<Record<string, Run>> = {
  'GET /': describe,
  'GET /calls': ({ calls }) => ({ items: calls.oldestFirst() }),
  'POST /events': (service, body) => {
    if (isObject(body) && typeof body['type'] === 'string' && body['event_type'] === undefined) {
      return emitSamples(service, read(samplesOf, body));
    }
    if (!isObject(body)) throw new ApiError(400, 'body must be a payload, or {"type", "count"}');
    return emitEvent(service, body);
  },
  'GET /faults': ({ faults }) => ({ items: faults.list() }),
  'POST /faults': ({ faults }, body) => {
    const { operation, fault, times } = read(faultSchema, body);
    faults.plan(operation, fault, times);
    return { items: faults.list() };
  },
  'DELETE /faults': ({ faults }) => {
    faults.clear();
    return { items: [] };
  },
  'POST /rate-limit': ({ rateLimit }, body) => {
    const { perSecond } = read(limitOf, body);
    rateLimit.set(perSecond ?? undefined);
    return { perSecond };
  },
  'POST /advance': async ({ clock }, body) => {
    await clock.advance(read(advanceBy, body).ms);
    return { now: clock.isoNow() };
  },
  'POST /webhooks/{id}/disable': ({ webhooks }, _, id) => webhooks.disable(id),
};

/** What a test or a person asks of the fake itself: without a key, and from this machine only. */
export async function answerControl(
  service: Service,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  url: URL,
): Promise<void> {
  try {
    if (!isFromHere(incoming)) throw new ApiError(403, `${CONTROL_PREFIX} is for this machine only`);
    const path = url.pathname.slice(CONTROL_PREFIX.length).replace(/^$/, '/');
    const [, id] = /^\/webhooks\/([^/]+)\//.exec(path) ?? [];
    const name = `${incoming.method} ${id === undefined ? path : path.replace(id, '{id}')}`;
    const run = Object.hasOwn(CONTROLS, name) ? CONTROLS[name] : undefined;
    if (run === undefined) throw new ApiError(404, `Route ${incoming.method}:${url.pathname} not found`);
    const body = await readJsonBody(incoming, CONTROL_BODY_BYTES);
    send(outgoing, success(await run(service, body, id ?? '')));
  } catch (error) {
    send(outgoing, failure(error instanceof TooManyDeliveries ? new ApiError(503, error.message) : error));
  }
}

/** By its address, and by the name it was called by: no web page that a browser here shows may call it. */
function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  return isLoopbackAddress(socket.remoteAddress ?? '') && isLoopbackHost(host);
}

function describe({ owner, plan, clock, webhooks, calls, faults }: Service): unknown {
  return {
    workspace: { id: owner.workspaceId, name: owner.workspaceName },
    plan,
    now: clock.isoNow(),
    waiting_retries: clock.waiting,
    calls: calls.size,
    faults: faults.list(),
    webhooks: webhooks.oldestFirst().map(({ id, name, status, event_type, target_hook_url }) => {
      return { id, name, status, event_type, target_hook_url };
    }),
  };
}

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const [first] = checked.error.issues;
  throw new ApiError(400, `body${(first?.path ?? []).map((part) => `/${String(part)}`).join('')}: ${first?.message}`);
}
