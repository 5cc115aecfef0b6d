import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { COMMANDS, newProgram } from '../../src/cli/program.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { findMistypedNames } from '../../src/config/suggest-name.ts';
import { HandlerRunner } from '../../src/dispatch/handler-runner.ts';
import { RUN_LIMITS } from '../../src/dispatch/limits.ts';
import { loadHandlers } from '../../src/dispatch/load-handlers.ts';
import { makeDelivery, TestLog } from '../unit/dispatch-support.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'receiver-documents-'));

interface Block {
  /** `README.md:66` */
  readonly at: string;
  readonly language: string;
  readonly text: string;
}

const documents = ['.', 'docs', 'deploy'].flatMap((dir) =>
  readdirSync(join(ROOT, dir), { recursive: dir !== '.', encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(dir, name)),
);

const blocks: readonly Block[] = documents.flatMap((path) => {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return [...text.matchAll(/^( *)```(\S*)[^\n]*\n(.*?)^\1```$/gms)].map(
    ({ index, 1: indent = '', 2: language = '', 3: body = '' }) => ({
      at: `${path}:${text.slice(0, index).split('\n').length}`,
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
});

const of = (...languages: string[]): Block[] => blocks.filter(({ language }) => languages.includes(language));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('each code block is of a language that is tried below, or drawn, or of another program', () => {
  const tried = ['ts', 'json', 'sh', 'yaml', 'dotenv'];
  const others = ['mermaid', 'nginx', 'caddyfile', 'caddy', 'text', 'promql', 'toml', 'ini', 'http'];
  expect(blocks.filter(({ language }) => ![...tried, ...others].includes(language))).toEqual([]);
  for (const language of ['ts', 'json', 'sh', 'dotenv'])
    expect([language, of(language).length > 0]).toEqual([language, true]);
});

describe('TypeScript', () => {
  test('passes the checks of this project', () => {
    const types = "import type { HandlerContext, InstantlyEvent } from 'instantly-webhook-receiver';\n";
    mkdirSync(join(folder, 'types'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const files = of('ts').map(({ text }, index) => {
      const file = join(folder, 'types', `block-${index}.ts`);
      writeFileSync(
        file,
        /^import /m.test(text)
          ? text
          : `${types}export type Shown = [HandlerContext, InstantlyEvent];\n${text}\nexport type Named = Handler;`,
      );
      return file;
    });
    const config = join(folder, 'tsconfig.json');
    const paths = {
      'instantly-webhook-receiver': [join(ROOT, 'src/index.ts')],
      'instantly-webhook-receiver/express': [join(ROOT, 'src/express.ts')],
      express: [join(ROOT, 'node_modules/@types/express')],
    };
    const compilerOptions = { paths, typeRoots: [join(ROOT, 'node_modules/@types')] };
    writeFileSync(
      config,
      JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] }),
    );
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    expect(spawnSync(tsc, ['--project', config], { encoding: 'utf8' })).toMatchObject({ stdout: '', status: 0 });
  });

  test('handlers fail where the CRM answers 500, and are done where it answers 200', async () => {
    let status = 500;
    const asked: unknown[] = [];
    const crm = createServer((incoming, outgoing) => {
      asked.push(incoming.headers['idempotency-key']);
      incoming.resume().on('end', () => outgoing.writeHead(status).end());
    });
    crm.listen(0, '127.0.0.1');
    await once(crm, 'listening');
    const url = `http://127.0.0.1:${(crm.address() as AddressInfo).port}`;
    const log = new TestLog();
    const dir = join(folder, 'handlers');
    mkdirSync(dir);
    for (const [index, { text }] of of('ts').entries()) {
      if (!text.includes('export default')) continue;
      writeFileSync(join(dir, `block-${index}.ts`), text.replaceAll(/https:\/\/crm\.example\b/g, url));
    }
    try {
      const { handlers, warnings } = await loadHandlers(dir, { logFd: log.fd });
      expect(warnings).toEqual([]);
      expect(handlers.length).toBeGreaterThan(0);
      for (const loaded of handlers) {
        const runner = new HandlerRunner({
          ...loaded,
          env: {},
          logLevel: 'info',
          logFd: log.fd,
          logger: log.logger,
          limits: RUN_LIMITS,
          timeoutMs: 30_000,
          clock: Date.now,
          onRoom: () => undefined,
        });
        const delivery = makeDelivery(loaded.handler, { lead: 'jane@lead.example' });
        const run = () => runner.run(delivery, Date.now() + 600_000);
        const calls = asked.length;
        status = 500;
        const refused = await run();
        status = 200;
        const outcomes = [refused.kind, (await run()).kind];
        await runner.end();
        // Those that call nobody have nothing that could fail.
        expect([loaded.handler, outcomes]).toEqual([
          loaded.handler,
          asked.length > calls ? ['failed', 'done'] : ['done', 'done'],
        ]);
      }
      expect(asked.length).toBeGreaterThan(0);
    } finally {
      crm.close();
      log.remove();
    }
  });
});

test('JSON and YAML parse', () => {
  for (const { at, text } of of('json')) expect([at, typeof JSON.parse(text)]).toEqual([at, 'object']);
  for (const { at, text } of of('yaml')) expect([at, typeof parse(text)]).toEqual([at, 'object']);
});

test('lines for .env are settings, and load without a fault or a warning', () => {
  for (const { at, text } of of('dotenv')) {
    const env = parseEnv(text);
    expect([at, findMistypedNames(Object.keys(env))]).toEqual([at, []]);
    expect([at, loadSettings({ env, cwd: folder, create: false }).warnings]).toEqual([at, []]);
  }
});

/** Commands by their name; each loads what it needs alone. */
async function loadProgram(): Promise<Command> {
  const program = newProgram();
  for (const load of Object.values(COMMANDS)) (await load()).register(program);
  return program;
}

/** What is wrong with the words of a command; `undefined`: nothing. */
function findFault(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const sub = command.commands.find((one) => one.name() === word);
    if (sub !== undefined) command = sub;
    else if (word.startsWith('-')) {
      if (word === '--help') continue;
      const option = command.options.find(({ long, short }) => [long, short].includes(word.split('=')[0] ?? ''));
      if (option === undefined) return `${command.name()} has no option ${word}`;
      if (option.required && !word.includes('=')) at += 1;
    } else if (command.commands.length > 0 || command.registeredArguments.length === 0) {
      return `${command.name()} takes no ${word}`;
    }
  }
  return undefined;
}

const scripts: Record<string, string> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;
const compose = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  readonly services: Record<string, { readonly profiles?: readonly string[] }>;
};
const profiles = Object.values(compose.services).flatMap((service) => service.profiles ?? []);

/** What is wrong with one line of a shell, as far as it concerns this project. */
function findShellFault(program: Command, line: string): string | undefined {
  const words = line
    .replace(/\s*(?:\s#|>>?|\||2>).*$/, '')
    .split(/\s+/)
    .filter((word) => word !== '' && !/^[A-Z_]+=/.test(word));
  const [tool, ...rest] = words;
  if (tool === 'instantly-receiver') return findFault(program, rest);
  if (tool === 'npx' && rest[0] === 'instantly-receiver') return findFault(program, rest.slice(1));
  if (tool === 'docker' && rest[0] === 'compose') {
    const named = [...line.matchAll(/--profile[ =](\S+)/g)].map(([, name]) => name ?? '');
    const wrong = named.find((name) => !profiles.includes(name));
    if (wrong !== undefined) return `there is no profile ${wrong}`;
    const runsOne = rest.includes('run') || rest.includes('exec');
    return !runsOne || rest.some((word) => word in compose.services) ? undefined : `no service is named in ${line}`;
  }
  if (tool !== 'npm') return undefined;
  const said = rest.filter((word) => word !== '--silent');
  if (['ci', 'install', 'pack'].includes(said[0] ?? '')) return undefined;
  const script = said[0] === 'run' ? said[1] : said[0];
  if (script === undefined || !(script in scripts)) return `there is no script ${script}`;
  return script === 'cli' ? findFault(program, said.slice(said.indexOf('--') + 1)) : undefined;
}

test('lines for a shell name commands, options, scripts, services and profiles that exist', async () => {
  const program = await loadProgram();
  const faults = of('sh').flatMap(({ at, text }) =>
    text
      .replaceAll(/\\\n/g, ' ')
      .split(/\n|&&/)
      .map((line) => [at, line.trim(), findShellFault(program, line.trim())])
      .filter(([, , fault]) => fault !== undefined),
  );
  expect(faults).toEqual([]);
  expect(findShellFault(program, 'npm run --silent cli -- events lsit')).toBe('events takes no lsit');
  expect(findShellFault(program, 'instantly-receiver dead replay --handlers crm')).toBe(
    'replay has no option --handlers',
  );
});

/** What is wrong with a command that a text quotes; `undefined`: it quotes none. */
function findQuoteFaults(program: Command, span: string): unknown[] | undefined {
  const line = span.replace(/^npm run --silent cli -- |^(?:npx )?instantly-receiver /, '');
  if (/^npm /.test(line)) return [findShellFault(program, line)];
  const [first = ''] = line.split(' ');
  if (!program.commands.some((command) => command.name() === first)) return undefined;
  // `events list · show ID · replay`: others of the same command.
  return line.split(' · ').map((part, index) => {
    const words = part.split(' ').filter((word) => !/^[A-Z[…]/.test(word));
    return findFault(program, index === 0 ? words : [first, ...words]);
  });
}

test('so does the text, wherever it quotes a command', async () => {
  const program = await loadProgram();
  const spans = documents.flatMap((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8').replaceAll(/^( *)```.*?^\1```$/gms, '');
    return [...text.matchAll(/`([^`\n]+)`/g)].map(
      ([, span = '']) => [path, span, findQuoteFaults(program, span)] as const,
    );
  });
  const quotes = spans.filter(([, , faults]) => faults !== undefined);
  expect(quotes.filter(([, , faults]) => faults?.some((fault) => fault !== undefined))).toEqual([]);
  expect(quotes.length).toBeGreaterThan(30);
});
