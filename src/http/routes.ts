import type { AppRoute, RouteHandler } from './app.ts';

export interface RouteHandlers {
  /** `undefined`: this process runs handlers only. */
  readonly receive: RouteHandler | undefined;
  readonly health: RouteHandler;
  readonly ready: RouteHandler;
  readonly metrics: RouteHandler;
}

/** Everything that is served, the busiest path first. */
export function createRoutes(webhookPath: string, handlers: RouteHandlers): AppRoute[] {
  const { receive } = handlers;
  const webhook = {
    path: webhookPath,
    method: 'POST',
    action: 'webhook.receive',
    resource: webhookPath,
    forgiving: true,
  } as const;
  return [
    ...(receive === undefined ? [] : [{ ...webhook, writesHead: true, handle: receive }]),
    { path: '/healthz', method: 'GET', action: 'health.check', resource: '/healthz', handle: handlers.health },
    { path: '/readyz', method: 'GET', action: 'health.check', resource: '/readyz', handle: handlers.ready },
    { path: '/metrics', method: 'GET', action: 'metrics.scrape', resource: '/metrics', handle: handlers.metrics },
  ];
}
