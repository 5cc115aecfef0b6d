import { fault, type Parsed } from './parsed.ts';

const OWN_PATHS: readonly string[] = ['/healthz', '/readyz', '/metrics'];

/** Headers that Node, a proxy or the receiver itself reads or rewrites, so that they can carry no credential. */
const TAKEN_HEADERS: readonly string[] = [
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'transfer-encoding',
  'x-forwarded-for',
  'x-request-id',
];

/** The path of the webhook route. Only characters that mean themselves both in a URL and in a route pattern. */
export function parseWebhookPath(text: string): Parsed<string> {
  if (!text.startsWith('/')) return fault('must begin with "/", as in /webhooks/instantly');
  if (text.endsWith('/')) return fault('must name a path that does not end in "/", such as /webhooks/instantly');
  if (!/^[A-Za-z0-9._~/-]+$/.test(text)) {
    return fault('must hold only letters, digits and - . _ ~ between its slashes');
  }
  if (/\/(\.{1,2})?(?=\/|$)/.test(text)) return fault('must not hold "//", "/." or "/..", which clients rewrite');
  // Routes match in either case.
  if (OWN_PATHS.includes(text.toLowerCase())) {
    return fault(`must not be ${OWN_PATHS.join(', ')}, which this receiver answers itself`);
  }
  return { value: text };
}

/** A header's name, lower-cased. */
export function parseHeaderName(text: string): Parsed<string> {
  const name = text.toLowerCase();
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name)) {
    return fault('must be the name of an HTTP header alone: letters, digits and hyphens, such as x-webhook-secret');
  }
  if (TAKEN_HEADERS.includes(name)) return fault('must not be a header that HTTP itself or a proxy sets');
  return { value: name };
}

/** A host name or an IP address to listen on. */
export function parseHost(text: string): Parsed<string> {
  if (/^[A-Za-z0-9._:%-]{1,255}$/.test(text)) return { value: text };
  return fault('must be a host name or an IP address alone, such as 0.0.0.0, 127.0.0.1 or ::');
}
