/** Of a URL's `hostname` or a Host header without its port; names of this machine count, other names never. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name.replace(/^\[(.*)\]$/, '$1'));
}

/** The host of a URL by which this machine reaches what listens on this address. */
export function hostToReach(listening: string): string {
  if (listening === '0.0.0.0' || listening === '::') return 'localhost';
  return listening.includes(':') ? `[${listening}]` : listening;
}

/** Of an address as sockets and URLs write it. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain) || /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(plain);
}
