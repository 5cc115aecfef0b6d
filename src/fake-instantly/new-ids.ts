import { v7 } from 'uuid';

const SEQUENCES = 2 ** 32;

/** Makes UUIDs v7 that ascend whatever the clock does, so that an id is a place in a list. */
export function idMaker(now: () => number): () => string {
  let last = 0;
  let sequence = 0;
  return () => {
    const time = now();
    if (time > last) {
      last = time;
      sequence = 0;
    } else {
      sequence += 1;
      if (sequence === SEQUENCES) {
        last += 1;
        sequence = 0;
      }
    }
    return v7({ msecs: last, seq: sequence });
  };
}
