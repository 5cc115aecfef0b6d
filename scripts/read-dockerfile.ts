/** One instruction, its continuation lines joined. */
export interface Instruction {
  /** Upper case. */
  readonly name: string;
  /** `--from=source` becomes `from`: `source`. */
  readonly flags: ReadonlyMap<string, string>;
  readonly rest: string;
}

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  /** Without FROM. */
  readonly instructions: readonly Instruction[];
}

/**
 * Reads the part of the Dockerfile syntax that this project allows itself: what the classic builder understands, without
 * heredocs, global arguments and escape directives.
 *
 * @throws Error for anything else
 */
export function readDockerfile(text: string): Stage[] {
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of joinLines(text)) {
    const instruction = readInstruction(line);
    if (instruction.name === 'FROM') {
      const [base, as, name] = instruction.rest.split(/\s+/);
      if (base === undefined || (as !== undefined && as.toUpperCase() !== 'AS')) throw new Error(`not read: ${line}`);
      stages.push({ base, name, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined) throw new Error(`before the first FROM: ${line}`);
    stage.instructions.push(instruction);
  }
  return stages;
}

/** What an exec form such as `["node", "-e", "…"]` runs; the shell form is an error, because a shell would get the signals. */
export function readExecForm(text: string): string[] {
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
    throw new Error(`no exec form: ${text}`);
  return words;
}

/** The last instruction of a name, as builders take it. */
export function findInstruction(stage: Stage, name: string): Instruction {
  const found = stage.instructions.findLast((instruction) => instruction.name === name);
  if (found === undefined) throw new Error(`the Dockerfile has no ${name}`);
  return found;
}

/** What ENV sets, `${}` not resolved. */
export function readEnvironment(stage: Stage): Record<string, string> {
  const texts = stage.instructions.filter(({ name }) => name === 'ENV').map(({ rest }) => rest);
  const pairs = texts.flatMap((text) => [...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)]);
  return Object.fromEntries(pairs.map(([, name, quoted, bare]) => [name, quoted ?? bare]));
}

/** The command of HEALTHCHECK. */
export function readHealthcheck(stage: Stage): string[] {
  return readExecForm(findInstruction(stage, 'HEALTHCHECK').rest.replace(/^CMD\s+/, ''));
}

function joinLines(text: string): string[] {
  const whole = text.replace(/^\s*#.*\n/gm, '').replace(/\\\n/g, ' ');
  return whole
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function readInstruction(line: string): Instruction {
  const match = /^([A-Za-z]+)\s+((?:--[a-z-]+=\S+\s+)*)(.+)$/.exec(line);
  if (match === null || line.includes('<<')) throw new Error(`not read: ${line}`);
  const [, name = '', flags = '', rest = ''] = match;
  const pairs = [...flags.matchAll(/--([a-z-]+)=(\S+)/g)].map(([, flag = '', value = '']) => [flag, value] as const);
  return { name: name.toUpperCase(), flags: new Map(pairs), rest };
}
