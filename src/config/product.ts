import { readFileSync } from 'node:fs';

const { name, version, homepage } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

export const VERSION = String(version);

/** How this program names itself to other services: the edge in front of Instantly refuses clients that go by a library's name. */
export const USER_AGENT = `${name}/${version} (+${homepage})`;
