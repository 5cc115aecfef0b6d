import type { RequestListener, Server } from 'node:http';
import type { Logger } from 'pino';
import type { ReadToken } from './authenticate/index.ts';
import type { Metrics } from './compose-metrics.ts';
import type { Settings } from './config/settings.ts';
import type { Problem } from './errors/problem.ts';
import { typeLabel } from './events/names.ts';
import { type AppOptions, createApp, type Webhook } from './http/app.ts';
import type { BufferBudget } from './http/buffer-budget.ts';
import type { Exchange } from './http/exchange.ts';
import { type FailureLimit, limitFailures } from './http/limit-failures.ts';
import { logRequest } from './http/log-requests.ts';
import type { OpenRequests } from './http/open-requests.ts';
import { createHealth, createMetricsRoute, createReady, type Registration } from './http/operations.ts';
import { createRawBody } from './http/raw-body.ts';
import type { Readiness } from './http/readiness.ts';
import { createReceive } from './http/receive.ts';
import { createServer } from './http/server.ts';
import { createVerify } from './http/verify.ts';
import type { Inbox } from './inbox/accept.ts';
import type { AuditTrail } from './inbox/audit-trail.ts';
import type { TokenSource } from './token-source.ts';

export interface HttpParts {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly inbox: Inbox;
  readonly trail: AuditTrail;
  readonly open: OpenRequests;
  readonly budget: BufferBudget;
  readonly readiness: Readiness;
  readonly isStopping: () => boolean;
  /** `undefined`: this process takes no webhooks. */
  readonly tokens: TokenSource | undefined;
  readonly registration: () => Registration | undefined;
  /** `undefined` gives none: /metrics asks for no token. */
  readonly readMetricsToken: () => ReadToken | undefined;
}

export interface Http {
  readonly server: Server;
  /** Ends every request whose body is still coming with this problem. */
  interruptAll(problem: Problem): void;
  /** From now on the answers of requests that came before end their connections, as those of later ones do by themselves. */
  endConnections(): void;
}

export function composeHttp(parts: HttpParts): Http {
  const { settings, metrics, open } = parts;
  const app = composeApp(parts, {
    onBegin: (exchange, response) => {
      exchange.place = open.add(exchange, response);
    },
    onEnd: (exchange) => {
      open.remove(exchange.place);
      end(parts, exchange);
    },
  });
  const server = createServer({
    settings: settings.http,
    listener: app,
    onRefused: (exchange) => end(parts, exchange),
    onDropped: () => metrics.requests.droppedConnections.inc(),
    onLook: () => parts.budget.giveUpStalled(),
  });
  return {
    server,
    interruptAll: (problem) => {
      for (const { exchange } of open) exchange.interruption.happen(problem);
    },
    endConnections: () => {
      for (const { response } of open) if (!response.headersSent) response.setHeader('Connection', 'close');
    },
  };
}

function composeApp(parts: HttpParts, watch: Pick<AppOptions, 'onBegin' | 'onEnd'>): RequestListener {
  const { settings, logger, metrics } = parts;
  const failures = limitFailures(settings.http.failedAuthPerMinute);
  return createApp({
    webhookPath: settings.webhookPath,
    webhook: parts.tokens && composeWebhook(parts, parts.tokens, failures),
    health: createHealth(),
    ready: createReady(parts.readiness, parts.registration),
    metrics: createMetricsRoute({
      ...metrics.registries,
      readToken: parts.readMetricsToken,
      allow: settings.metricsAllow,
      failures,
    }),
    logger,
    budget: parts.budget,
    trustProxy: settings.http.trustProxy,
    bodyLimitBytes: settings.http.bodyLimitBytes,
    isStopping: parts.isStopping,
    ...watch,
  });
}

function composeWebhook(
  { settings, metrics, budget, inbox }: HttpParts,
  tokens: TokenSource,
  failures: FailureLimit,
): Webhook {
  const { bodyLimitBytes } = settings.http;
  const rawBody = createRawBody({ credentials: () => tokens.inForce, budget, bodyLimitBytes, failures });
  const verify = createVerify(rawBody, {
    failures,
    budget,
    onSignatureMismatch: ({ log }) => {
      metrics.requests.signatureMismatches.inc();
      log.warn('a right token came with a signature that does not hold: check INSTANTLY_SECRET');
    },
  });
  const receive = createReceive(verify, {
    inbox,
    budget,
    bodyLimitBytes,
    onUnusableCoding: ({ log }, reason) => {
      log.warn(
        { reason },
        'a proven sender compresses its bodies in a way that cannot be unpacked: they are in quarantine; have it send them as they are',
      );
    },
    onAccepted: (facts) => {
      metrics.events.events.inc({ event_type: typeLabel(facts.type) });
      metrics.events.lastEvent.setToCurrentTime();
      if (facts.timestamp !== null) metrics.events.lag.observe(Math.max(0, (Date.now() - facts.timestamp) / 1_000));
    },
  });
  return { rawBody, verify, receive };
}

/** Counted, audited and logged once, whichever way the request ended. */
function end({ trail, metrics, logger }: HttpParts, exchange: Exchange): void {
  const { isProven, audited } = exchange;
  if (exchange.route.action === 'webhook.receive') {
    metrics.requests.requests.inc({ outcome: exchange.status === 200 ? exchange.reason : exchange.code });
    metrics.requests.duration.observe(exchange.durationMs / 1_000);
  }
  if (audited) metrics.events.auditEntries.inc({ result: exchange.status < 400 ? 'success' : 'failure' });
  const isWritten = audited || trail.record(exchange.audit(), isProven);
  // Strangers' lines share the budget of their entries.
  if (isWritten || isProven) logRequest(logger, exchange);
}
