import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { type Instruction, readDockerfile, type Stage } from './read-dockerfile.ts';
import { readDockerignore } from './read-dockerignore.ts';

export interface ImageLayout {
  /** Stands for `/` of the image, with what the Dockerfile adds to its base. */
  readonly root: string;
  readonly stage: Stage;
}

/**
 * Does what the Dockerfile's COPY, WORKDIR and `RUN npm ci` do, in folders under `target`, where no container engine is
 * at hand. Other RUN instructions are about owners and modes; they are left to whoever runs the result.
 */
export function layOutImage(repository: string, target: string): ImageLayout {
  const stages = readDockerfile(readFileSync(join(repository, 'Dockerfile'), 'utf8'));
  const inContext = readDockerignore(readFileSync(join(repository, '.dockerignore'), 'utf8'));
  const roots = new Map<string, string>();
  let last: ImageLayout | undefined;
  for (const [index, stage] of stages.entries()) {
    const root = join(target, stage.name ?? String(index));
    mkdirSync(root, { recursive: true });
    let cwd = '/';
    for (const instruction of stage.instructions) {
      if (instruction.name === 'WORKDIR') {
        cwd = resolve(cwd, instruction.rest);
        mkdirSync(join(root, cwd), { recursive: true });
      } else if (instruction.name === 'COPY') {
        copy(instruction, { repository, inContext, roots, root, cwd });
      } else if (instruction.name === 'RUN' && instruction.rest.startsWith('npm ci')) {
        install(instruction.rest, join(root, cwd));
      }
    }
    if (stage.name !== undefined) roots.set(stage.name, root);
    last = { root, stage };
  }
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  return last;
}

interface Copying {
  readonly repository: string;
  readonly inContext: (path: string) => boolean;
  readonly roots: ReadonlyMap<string, string>;
  readonly root: string;
  readonly cwd: string;
}

function copy(instruction: Instruction, { repository, inContext, roots, root, cwd }: Copying): void {
  const words = instruction.rest.split(/\s+/);
  const target = words.at(-1) ?? '';
  const from = instruction.flags.get('from');
  const source = from === undefined ? repository : roots.get(from);
  if (source === undefined) throw new Error(`COPY from a stage that is not there: ${from}`);
  for (const path of words.slice(0, -1)) {
    const file = join(source, path);
    // A folder's content is copied, a file lies in the target under its own name.
    const into = join(root, resolve(cwd, target), statSync(file).isDirectory() ? '' : basename(path));
    cpSync(file, into, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (each) => from !== undefined || inContext(relative(repository, each)),
    });
  }
}

/** Modules belong to root in the image; here it is enough that whoever runs it can read them. */
function install(command: string, cwd: string): void {
  const { status } = spawnSync('sh', ['-c', command], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command}: exit ${status}`);
  chmodSync(cwd, 0o755);
}
