import { describe, expect, test } from '@jest/globals';
import { validate, version } from 'uuid';
import { newId } from '../../src/audit/new-id.ts';

describe('new ids', () => {
  test('are UUIDs of version 7, each new, over many fills of the pool', () => {
    const ids = Array.from({ length: 2_000 }, newId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect([validate(id), version(id)]).toEqual([true, 7]);
  });

  test('sort by the time they were made', () => {
    const before = Date.now();
    const milliseconds = Number.parseInt(newId().replaceAll('-', '').slice(0, 12), 16);
    expect(milliseconds).toBeGreaterThanOrEqual(before);
    expect(milliseconds).toBeLessThanOrEqual(Date.now());
  });
});
