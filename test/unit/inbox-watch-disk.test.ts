import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { watchDisk } from '../../src/inbox/watch-disk.ts';

describe('disk watch', () => {
  test('tells at once when less is free than the floor', async () => {
    const low = await new Promise<[boolean, number]>((resolve) => {
      const watch = watchDisk(tmpdir(), Number.MAX_SAFE_INTEGER, (isLow, free) => {
        watch.stop();
        resolve([isLow, free]);
      });
    });
    expect(low[0]).toBe(true);
    expect(low[1]).toBeGreaterThan(0);
  });

  test('says nothing where there is space, or where it cannot look', async () => {
    const heard: boolean[] = [];
    const dir = mkdtempSync(join(tmpdir(), 'receiver-disk-'));
    const enough = watchDisk(dir, 1, (isLow) => heard.push(isLow));
    const nowhere = watchDisk(join(dir, 'nowhere'), Number.MAX_SAFE_INTEGER, (isLow) => heard.push(isLow));
    await Promise.all([enough.look(), nowhere.look()]);
    enough.stop();
    nowhere.stop();
    rmSync(dir, { recursive: true });
    expect(heard).toEqual([]);
  });
});
