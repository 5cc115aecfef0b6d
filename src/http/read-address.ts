import { isIP } from 'node:net';
import type { Request } from 'express';

/** The address a request is counted and audited under: that of the connection, or what a believed proxy says of it. */
export function clientAddress(request: Request): string {
  return plainAddress(request.ip) ?? plainAddress(request.socket.remoteAddress) ?? '';
}

/**
 * An IPv4-mapped address as the IPv4 address it is, without the port that some proxies add. `undefined` for what is no
 * address: a header of any length and content must not get into the log by this door.
 */
export function plainAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\](?::\d+)?|(?:::ffff:)?(\d+(?:\.\d+){3})(?::\d+)?)$/i.exec(text) ?? [];
  const [address = ''] = (bracketed ?? dotted ?? text).split('%', 1);
  return isIP(address) === 0 ? undefined : address;
}
