import { userInfo } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { operatorName } from '../../src/config/operator-name.ts';

const nobody = (): string => 'uid-1000';

describe('the name of an operator', () => {
  test.each([
    ['ann', 'ann'],
    ['Ann Müller', 'Ann-Müller'],
    ['ann@example.com', 'ann-example.com'],
    ['a\nb\u0000c\u001b[31m', 'a-b-c-31m'],
    ['CORP\\ann', 'CORP-ann'],
    ['x'.repeat(500), 'x'.repeat(64)],
    ['李雷', '李雷'],
  ])('%j is %j', (given, name) => {
    expect(operatorName(given, nobody)).toBe(name);
  });

  test.each([undefined, '', ' ', '--', '@:/'])('%j is none, so that the user of the system counts', (given) => {
    expect(operatorName(given, nobody)).toBe('uid-1000');
    expect(operatorName(given)).toMatch(/^[\p{L}\p{N}._-]+$/u);
  });

  test('the user of the system is the one that Node names', () => {
    expect(operatorName(undefined)).toBe(operatorName(userInfo().username));
  });
});
