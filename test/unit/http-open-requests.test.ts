import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Problem } from '../../src/errors/problem.ts';
import { Exchange } from '../../src/http/exchange.ts';
import { Interruption } from '../../src/http/interruption.ts';
import { OpenRequests } from '../../src/http/open-requests.ts';

const response = {} as ServerResponse;
const exchange = (): Exchange => new Exchange({ method: 'POST', headers: {} }, '127.0.0.1');

describe('the open requests', () => {
  test('are those that came and did not go, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9)), (steps) => {
        const open = new OpenRequests();
        const expected = new Map<number, Exchange>();
        for (const step of steps) {
          // Those that are open go twice: the second time nothing happens.
          const [place] = [...expected.keys()].slice(step, step + 1);
          if (place !== undefined) {
            open.remove(place);
            open.remove(place);
            expected.delete(place);
          } else {
            const one = exchange();
            expected.set(open.add(one, response), one);
          }
        }
        expect(new Set([...open].map((one) => one.exchange))).toEqual(new Set(expected.values()));
        expect([...open]).toHaveLength(expected.size);
      }),
    );
  });

  test('take no more places than were open at once', () => {
    const open = new OpenRequests();
    const places = Array.from({ length: 10_000 }, () => {
      const place = open.add(exchange(), response);
      open.remove(place);
      return place;
    });
    expect(new Set(places)).toEqual(new Set([0]));
  });
});

test('of several interruptions the first counts, and is told once, to whoever listens then', () => {
  const told: string[] = [];
  const interruption = new Interruption();
  interruption.listen(() => told.push('nobody'));
  interruption.listen(({ code }) => told.push(code));
  interruption.happen(new Problem('request-timeout'));
  interruption.happen(new Problem('stopping'));
  expect([interruption.problem?.code, ...told]).toEqual(['request-timeout', 'request-timeout']);
});
