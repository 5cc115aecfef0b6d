/**
 * Builds what a package needs, because Node strips no types below node_modules: the source files as JavaScript, by Node's own
 * stripping, so that what runs is what runs in a checkout; and the types of what the package exports.
 *
 *   node scripts/build.ts [FOLDER] [--no-types]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = dirname(import.meta.dirname);
const SOURCE = join(ROOT, 'src');
const ENTRIES = ['index', 'express'];
/** Where code names a file of ours: in imports, and for threads and processes. */
const NAMED = /(?<=')\.{1,2}\/[^'\n]+\.ts(?=')/g;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'no-types': { type: 'boolean', default: false } },
});
const target = resolve(positionals[0] ?? join(ROOT, 'dist'));
rmSync(target, { recursive: true, force: true });
for (const file of globSync('**/*.ts', { cwd: SOURCE })) {
  const code = stripTypeScriptTypes(readFileSync(join(SOURCE, file), 'utf8'));
  write(file.replace(/\.ts$/, '.js'), nameJavaScript(file, code));
}
if (!values['no-types']) buildTypes();

/** Only those of the exports and of what they name. */
function buildTypes(): void {
  const folder = mkdtempSync(join(tmpdir(), 'receiver-types-'));
  try {
    const config = join(ROOT, 'tsconfig.build.json');
    const command = [join(ROOT, 'node_modules/typescript/bin/tsc'), '--project', config, '--outDir', folder];
    const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
    if (status !== 0) throw new Error(`tsc: exit ${status}`);
    const entries = ENTRIES.map((name) => `${name}.d.ts`);
    // Grows while it is walked.
    const files = new Set(entries);
    for (const file of files) {
      const text = readFileSync(join(folder, file), 'utf8');
      for (const path of namedIn(file, text)) files.add(path.replace(/\.ts$/, '.d.ts'));
      write(file, nameJavaScript(file, text));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(file: string, text: string): void {
  const path = join(target, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Modules that a file names, by their paths in src. */
function namedIn(file: string, text: string): string[] {
  return [...text.matchAll(NAMED)].map(([name]) => relative(SOURCE, join(SOURCE, dirname(file), name)));
}

function nameJavaScript(file: string, text: string): string {
  for (const path of namedIn(file, text)) {
    if (!existsSync(join(SOURCE, path))) throw new Error(`${file} names ${path}, which is not there`);
  }
  return text.replaceAll(NAMED, (name) => name.replace(/\.ts$/, '.js'));
}
