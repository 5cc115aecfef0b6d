import type { Request, Response } from 'express';
import helmet from 'helmet';

/** Helmet's headers in its defaults, names and values in turn. They are the same for every answer, so helmet is asked once. */
export const SECURITY_HEADERS: readonly string[] = askHelmet();

export function setSecurityHeaders(response: Response): void {
  for (let at = 0; at < SECURITY_HEADERS.length; at += 2) {
    response.setHeader(SECURITY_HEADERS[at] ?? '', SECURITY_HEADERS[at + 1] ?? '');
  }
}

function askHelmet(): string[] {
  const headers: string[] = [];
  // Of a response helmet uses no more than this; X-Powered-By, which it would remove, Express is told not to send.
  const recorder = {
    setHeader: (name: string, value: string) => headers.push(name, value),
    removeHeader: () => undefined,
  };
  let failure: unknown = new Error('helmet has not finished');
  helmet()({} as Request, recorder as unknown as Response, (error?: unknown) => {
    failure = error;
  });
  if (failure !== undefined) throw failure;
  return headers;
}
