import { isIP, type Socket } from 'node:net';
import type { Request } from 'express';

/** Of connections that have asked before: an address takes a while to read, and theirs does not change. */
const known = new WeakMap<Socket, string>();

/** The address a request is counted and audited under: that of the connection, or what a believed proxy says of it. */
export function clientAddress(request: Request): string {
  if (request.app.get('trust proxy') !== 0) return plainAddress(request.ip) ?? connectionAddress(request.socket);
  return connectionAddress(request.socket);
}

/** To be asked first while the connection is open: the system forgets the address of one that was reset. */
export function connectionAddress(socket: Socket): string {
  let address = known.get(socket);
  if (address === undefined) {
    address = plainAddress(socket.remoteAddress) ?? '';
    known.set(socket, address);
  }
  return address;
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
