import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Connection } from '../../src/http/connections.ts';

function makeAsked(socket: Socket) {
  const request = new IncomingMessage(socket);
  return { request, response: new ServerResponse(request) };
}

test('requests of one connection begin one at a time, each after what others have to do', async () => {
  const socket = new Socket();
  const connection = new Connection(socket);
  const begun: number[] = [];
  const asked = Array.from({ length: 17 }, () => makeAsked(socket));
  const taken = asked.map((one, nth) => connection.ask(one, () => begun.push(nth)));
  expect(taken).toEqual(asked.map((_, nth) => nth < 16));
  expect(begun).toEqual([0]);
  await turn();
  expect(begun).toEqual([0, 1]);
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  // The connection ends: what has come is audited, and nothing begins twice.
  connection.beginAll();
  await turn();
  expect(begun).toEqual(asked.slice(0, 16).map((_, nth) => nth));
});
