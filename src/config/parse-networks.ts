import { BlockList, isIP } from 'node:net';
import { fault, type Parsed } from './parsed.ts';

const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  // Not routed on the internet; clusters use the shared space of RFC 6598 for their pods.
  private: [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '100.64.0.0/10',
    '169.254.0.0/16',
    'fc00::/7',
    'fe80::/10',
  ],
  all: ['0.0.0.0/0', '::/0'],
};

export class Networks {
  /** As written, for messages. */
  readonly text: string;
  readonly #list: BlockList;

  constructor(text: string, list: BlockList) {
    this.text = text;
    this.#list = list;
    Object.freeze(this);
  }

  /** @param address without a zone and not IPv4-mapped; anything else is in no network */
  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  }
}

/** Networks separated by commas: `loopback`, `private`, `all`, an address, or an address with the bits of its prefix. */
export function parseNetworks(text: string): Parsed<Networks> {
  const list = new BlockList();
  const words = text.split(',').map((word) => word.trim().toLowerCase());
  for (const network of words.flatMap((word) => NAMED[word] ?? [word])) {
    const [address = '', prefix, ...rest] = network.split('/');
    const version = isIP(address);
    const most = version === 6 ? 128 : 32;
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    if (version === 0 || rest.length > 0 || !(bits <= most)) {
      return fault('must be networks separated by commas: loopback, private, all, or addresses such as 10.1.0.0/16');
    }
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4');
  }
  return { value: new Networks(words.join(','), list) };
}
