import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { findStoreFault } from '../../src/config/check-store-file.ts';
import type { LocalFile } from '../../src/config/find-local-file.ts';
import { faultsOf, load, makeFolder } from './config-support.ts';

const local = (file: string): LocalFile => ({ file, setting: 'DATABASE_URL' });

describe('the file that DATABASE_URL names', () => {
  test('may be absent, empty or a SQLite file', () => {
    const folder = makeFolder();
    const file = join(folder, 'receiver.db');
    expect(findStoreFault(undefined)).toEqual([]);
    expect(findStoreFault(local(file))).toEqual([]);
    writeFileSync(file, '');
    expect(findStoreFault(local(file))).toEqual([]);
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE t (x TEXT)');
    db.close();
    expect(findStoreFault(local(file))).toEqual([]);
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

test('a pipe that DATABASE_URL names is refused, and nobody waits for what might be written to it', () => {
  const folder = makeFolder();
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  expect(() => load({ DATABASE_URL: 'sqlite:pipe' }, folder)).toThrow(/DATABASE_URL names something that is no file/);
  expect(readdirSync(folder)).toEqual(['pipe']);
});

describe('the file of the spill', () => {
  const POSTGRES = { DATABASE_URL: 'postgres://u:p@localhost/d', SPILL_DATABASE_URL: 'sqlite:spill' };

  test('is refused by its own name where it is no SQLite file, and nothing is made', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'spill'), 'a text of somebody else');
    expect(faultsOf(POSTGRES, folder)).toEqual([
      'SPILL_DATABASE_URL names a file that is no SQLite database; give another path, or move that file away',
    ]);
    expect(readdirSync(folder)).toEqual(['spill']);
  });

  test('is refused where it is a folder', () => {
    const folder = makeFolder();
    mkdirSync(join(folder, 'spill'));
    const faults = faultsOf(POSTGRES, folder);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^SPILL_DATABASE_URL names .*; give it as sqlite:PATH of a file$/);
  });

  test('is not looked at where the store is SQLite', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'spill'), 'a text of somebody else');
    expect(faultsOf({ SPILL_DATABASE_URL: 'sqlite:spill' }, folder)).toEqual([]);
  });
});
