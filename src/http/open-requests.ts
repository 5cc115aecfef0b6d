import type { ServerResponse } from 'node:http';
import type { Exchange } from './exchange.ts';

interface Open {
  readonly exchange: Exchange;
  readonly response: ServerResponse;
}

/**
 * The requests that are not answered yet. Their places are used again and again: a Map with so much coming and going makes itself
 * anew every hundred requests, and each table it leaves behind keeps what stood in it from the quick garbage collection. That was
 * half of the time which collecting garbage took.
 */
export class OpenRequests {
  readonly #places: (Open | undefined)[] = [];
  readonly #free: number[] = [];

  /** Gives the place, for `remove`. */
  add(exchange: Exchange, response: ServerResponse): number {
    const place = this.#free.pop() ?? this.#places.length;
    this.#places[place] = { exchange, response };
    return place;
  }

  remove(place: number): void {
    if (this.#places[place] === undefined) return;
    this.#places[place] = undefined;
    this.#free.push(place);
  }

  *[Symbol.iterator](): Generator<Open> {
    for (const open of this.#places) if (open !== undefined) yield open;
  }
}
