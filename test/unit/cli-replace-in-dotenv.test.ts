import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { replaceInDotenv, replaceSecretFile } from '../../src/cli/set-in-dotenv.ts';

const NAME = 'INSTANTLY_WEBHOOK_TOKEN';
const OLD = 'the-old-token-0000001';
const NEW = 'the_new-token-0000002';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'receiver-dotenv-'));
  file = join(folder, '.env');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['alone', `${NAME}=${OLD}`, `${NAME}=${NEW}`],
  ['in double quotes', `${NAME}="${OLD}"\n`, `${NAME}="${NEW}"\n`],
  ['in single quotes, with a comment', `${NAME}='${OLD},another#one' # of 2025\n`, `${NAME}='${NEW}' # of 2025\n`],
  ['in backticks', `${NAME}=\`${OLD}\`\n`, `${NAME}=\`${NEW}\`\n`],
  ['exported, with spaces', `  export ${NAME} = ${OLD}  # mine\n`, `  export ${NAME} = ${NEW}  # mine\n`],
  ['a list', `${NAME}=${OLD}, another-token-00003\n`, `${NAME}=${NEW}\n`],
  [
    'with CRLF and other lines',
    `# ${NAME}=in a comment\r\nPORT=3001\r\n${NAME}=${OLD}\r\nX_${NAME}=other\r\n\r\n# end`,
    `# ${NAME}=in a comment\r\nPORT=3001\r\n${NAME}=${NEW}\r\nX_${NAME}=other\r\n\r\n# end`,
  ],
  ['twice', `${NAME}=first-of-two-tokens\nA=1\n${NAME}=${OLD}\n`, `${NAME}=${NEW}\nA=1\n${NAME}=${NEW}\n`],
  ['behind a byte order mark', `\ufeff${NAME}=${OLD}\n`, `\ufeff${NAME}=${NEW}\n`],
  ['beside a value of several lines', `A="one\ntwo"\n${NAME}=${OLD}\n`, `A="one\ntwo"\n${NAME}=${NEW}\n`],
])('%s', (_, before, after) => {
  writeFileSync(file, before);
  chmodSync(file, 0o640);
  replaceInDotenv(file, NAME, NEW);
  expect(readFileSync(file, 'utf8')).toBe(after);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(['.env']);
});

test.each([
  ['not set', 'PORT=3001\n'],
  ['in the text of another value', `A="\n${NAME}=${OLD}\n"\n${NAME}=${OLD}\n`],
  ['empty file', ''],
])('is left as it is where it would not mean it: %s', (_, before) => {
  writeFileSync(file, before);
  expect(() => replaceInDotenv(file, NAME, NEW)).toThrow(`${file} does not set ${NAME}`);
  expect(readFileSync(file, 'utf8')).toBe(before);
});

test('a file of a secret keeps its line end and its mode, and a link to it stays one', () => {
  writeFileSync(file, `\ufeff${OLD},another-token-00003\r\n`);
  chmodSync(file, 0o444);
  symlinkSync('.env', join(folder, 'link'));
  replaceSecretFile(join(folder, 'link'), NEW);
  expect(readFileSync(file, 'utf8')).toBe(`\ufeff${NEW}\r\n`);
  expect(statSync(file).mode & 0o777).toBe(0o444);
});

test('a file that is not there is named', () => {
  expect(() => replaceSecretFile(file, NEW)).toThrow(file);
});
