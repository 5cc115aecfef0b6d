import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { findStoreFault } from '../../src/config/check-store-file.ts';
import { load, makeFolder } from './config-support.ts';

describe('the file that DATABASE_URL names', () => {
  test('may be absent, empty or a SQLite file', () => {
    const folder = makeFolder();
    const file = join(folder, 'receiver.db');
    expect(findStoreFault(undefined)).toEqual([]);
    expect(findStoreFault(file)).toEqual([]);
    writeFileSync(file, '');
    expect(findStoreFault(file)).toEqual([]);
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE t (x TEXT)');
    db.close();
    expect(findStoreFault(file)).toEqual([]);
  });

  test.each(['a text of somebody else', 'x'])('is refused where it is another kind of file: %p', (text) => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'passwd'), text);
    expect(() => load({ DATABASE_URL: 'sqlite:passwd' }, folder)).toThrow(/no SQLite database/);
    expect(readdirSync(folder)).toEqual(['passwd']);
  });

  test('is refused where it is a folder, and nothing is made', () => {
    const folder = makeFolder();
    mkdirSync(join(folder, 'data'));
    expect(() => load({ DATABASE_URL: 'sqlite:data' }, folder)).toThrow(/DATABASE_URL names/);
    expect(readdirSync(folder)).toEqual(['data']);
    expect(readdirSync(join(folder, 'data'))).toEqual([]);
  });
});
