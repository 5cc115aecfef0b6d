import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { isLoopbackAddress, isLoopbackHost } from '../../src/config/is-loopback.ts';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const textOf = (file: string): string => readFileSync(join(src, file), 'utf8');

test('nobody of the service imports the fake but its command', () => {
  const importers = files.filter(
    (file) => !file.startsWith('fake-instantly/') && /'\.[^']*fake-instantly\//.test(textOf(file)),
  );
  expect(importers.sort()).toEqual(['cli/emit-samples.ts', 'cli/fake-instantly.ts']);
});

test('and it knows the events, settings and errors only', () => {
  const rooms = files
    .filter((file) => file.startsWith('fake-instantly/'))
    .flatMap((file) => [...textOf(file).matchAll(/from '\.\.\/([^/']+)/g)].map(([, room]) => room));
  expect([...new Set(rooms)].sort()).toEqual(['config', 'errors', 'events']);
});

test.each([
  ['localhost', true],
  ['LOCALHOST.', true],
  ['fake.localhost', true],
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['[::1]', true],
  ['[::ffff:7f00:1]', true],
  ['localhost.example', false],
  ['127.0.0.1.example', false],
  ['1127.0.0.1', false],
  ['0.0.0.0', false],
  ['10.0.0.1', false],
  ['[::]', false],
  ['[::2]', false],
  ['[::ffff:a00:1]', false],
  ['', false],
])('the host %j is this machine: %j', (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:10.0.0.1', false],
  ['192.168.1.2', false],
])('the address %j is this machine: %j', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});
