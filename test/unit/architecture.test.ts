import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { PROBLEMS } from '../../src/errors/problem.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const src = join(root, 'src');

/** From the ground up; rooms on one floor do not know each other, save on the ground and inside a room. */
const FLOORS: readonly (readonly string[])[] = [
  ['errors'],
  ['config', 'metrics'],
  ['audit'],
  ['events', 'authenticate', 'scan-secrets'],
  ['index.ts', 'inbox'],
  ['http', 'dispatch', 'stores', 'instantly', 'fake-instantly'],
  // What others mount in an application of their own: made of the middlewares of http, and imported by nothing of ours.
  ['express.ts'],
  ['create-logger.ts', 'end-despite-threads.ts', 'fingerprint-secrets.ts', 'print-notice.ts'],
  ['carried-tokens.ts', 'token-copy.ts', 'tokens-in-force.ts'],
  ['token-warnings.ts'],
  ['open-store.ts', 'route-source.ts', 'live-settings.ts', 'presence-reporter.ts', 'secret-ages.ts', 'token-source.ts'],
  ['compose-metrics.ts'],
  ['compose-handlers.ts', 'compose-secrets.ts', 'compose-watch.ts'],
  ['compose-http.ts'],
  ['compose.ts'],
  ['main.ts'],
  ['cli'],
];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join(src, file));

const roomOf = (file: string): string => relative(src, file).split('/')[0] ?? '';
const floorOf = (file: string): number => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = [...text.matchAll(/(?:from|import|new URL\()\s*\(?\s*'(\.[^']+\.ts)'/g)];
  return found.map(([, path]) => resolve(dirname(file), path ?? ''));
}

/** Every arrow from one room to another that does not lead to a floor below. */
function wrongArrows(list: readonly string[], imports: (file: string) => readonly string[]): string[] {
  return list.flatMap((file) =>
    imports(file)
      .filter((target) => roomOf(target) !== roomOf(file) && floorOf(target) >= floorOf(file))
      .map((target) => `${relative(src, file)} -> ${relative(src, target)}`),
  );
}

describe('the rooms of src', () => {
  test('each has its floor', () => {
    expect(files.filter((file) => floorOf(file) === -1).map((file) => relative(src, file))).toEqual([]);
    expect(files.length).toBeGreaterThan(50);
  });

  test('import only from floors below', () => {
    expect(wrongArrows(files, importsOf)).toEqual([]);
  });

  test('an arrow up, or across a floor, would be seen', () => {
    const arrows = { 'inbox/a.ts': ['http/b.ts'], 'http/b.ts': ['dispatch/c.ts'], 'cli/d.ts': ['inbox/a.ts'] };
    const at = (file: string): string => join(src, file);
    const imports = (file: string): string[] =>
      (Object.entries(arrows).find(([from]) => at(from) === file)?.[1] ?? []).map(at);
    expect(wrongArrows(Object.keys(arrows).map(at), imports)).toEqual([
      'inbox/a.ts -> http/b.ts',
      'http/b.ts -> dispatch/c.ts',
    ]);
  });

  test('outside of authentication nobody reaches past its door', () => {
    const past = files.filter(
      (file) =>
        roomOf(file) !== 'authenticate' &&
        importsOf(file).some((target) => roomOf(target) === 'authenticate' && !target.endsWith('/index.ts')),
    );
    expect(past).toEqual([]);
  });

  test('stay small: no file of more than 250 lines, save the contract that is mostly comments', () => {
    const large = files
      .filter((file) => readFileSync(file, 'utf8').split('\n').length > 251)
      .map((file) => relative(src, file));
    expect(large).toEqual(['inbox/store.ts']);
  });
});

describe('the documents', () => {
  test('every error code has its paragraph, and every paragraph its code', () => {
    const paragraphs = [...read('docs/errors.md').matchAll(/^### (\S+)\n(\d{3})?/gm)];
    expect(paragraphs.map(([, code]) => code).sort()).toEqual(Object.keys(PROBLEMS).sort());
    for (const [, code, status] of paragraphs) {
      if (status !== undefined)
        expect([code, Number(status)]).toEqual([code, PROBLEMS[code as keyof typeof PROBLEMS].status]);
    }
  });

  test('every metric has its row, and every row its metric', () => {
    const defined = files
      .filter((file) => roomOf(file) === 'metrics')
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/name: '(instantly_\w+)'/g)].map(([, name]) => name));
    const rows = [...read('docs/metrics.md').matchAll(/^\| `(instantly_\w+)/gm)].map(([, name]) => name);
    expect(rows.sort()).toEqual(defined.sort());
  });

  test('every package that runs in production earns its line in the README', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const table = read('README.md').split('## Why these packages')[1]?.split('\n## ')[0] ?? '';
    const named = [...table.matchAll(/^\| ([a-z0-9@/, -]+) \|/gm)].flatMap(([, names]) => names?.split(', ') ?? []);
    expect(named.filter((name) => name !== 'package').sort()).toEqual(Object.keys(dependencies).sort());
  });

  test('every relative link of every document leads somewhere', () => {
    const documents = [
      'README.md',
      ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) => `docs/${file}`),
    ];
    const broken = documents
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => ({ file, link: link ?? '' })),
      )
      .filter(({ file, link }) => !existsSync(join(root, dirname(file), link)));
    expect(broken).toEqual([]);
  });
});
