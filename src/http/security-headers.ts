import type { NextFunction, Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';

/** Helmet's headers in its defaults. They are the same for every answer, so helmet is asked once and not each time. */
export function securityHeaders(): RequestHandler {
  const headers = askHelmet();
  return (_request: Request, response: Response, next: NextFunction) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    next();
  };
}

function askHelmet(): readonly (readonly [string, string])[] {
  const headers: [string, string][] = [];
  // Of a response helmet uses no more than this; X-Powered-By, which it would remove, Express is told not to send.
  const recorder = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    removeHeader: () => undefined,
  };
  let failure: unknown = new Error('helmet has not finished');
  helmet()({} as Request, recorder as unknown as Response, (error?: unknown) => {
    failure = error;
  });
  if (failure !== undefined) throw failure;
  return headers;
}
