/** What V8 writes: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Ids of the nodes that were on top, and microseconds since the sample before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ProfileNode {
  readonly name: string;
  readonly selfMs: number;
  readonly totalMs: number;
  readonly children: readonly ProfileNode[];
}

/** What the thread waits in is not work. */
const IDLE = new Set(['(idle)', '(root)']);

export function selfTimes(
  profile: CpuProfile,
): { readonly name: string; readonly ms: number; readonly isIdle: boolean }[] {
  const names = new Map(profile.nodes.map((node) => [node.id, describe(node.callFrame)]));
  const times = new Map<string, number>();
  for (const [id, ms] of millisecondsById(profile)) {
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + ms);
  }
  return [...times].map(([name, ms]) => ({ name, ms, isIdle: IDLE.has(name) })).toSorted((a, b) => b.ms - a.ms);
}

/** Without what the thread waited in. */
export function toTree(profile: CpuProfile): ProfileNode {
  const times = millisecondsById(profile);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const build = (id: number): ProfileNode => {
    const node = nodes.get(id);
    const children = (node?.children ?? [])
      .map(build)
      .filter(({ name, totalMs }) => !IDLE.has(name) && totalMs > 0)
      .toSorted((a, b) => a.name.localeCompare(b.name));
    const selfMs = times.get(id) ?? 0;
    const totalMs = children.reduce((sum, child) => sum + child.totalMs, selfMs);
    return { name: node === undefined ? '' : describe(node.callFrame), selfMs, totalMs, children };
  };
  return build(profile.nodes[0]?.id ?? 0);
}

function millisecondsById({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>();
  for (const [index, id] of samples.entries()) times.set(id, (times.get(id) ?? 0) + (timeDeltas[index] ?? 0) / 1_000);
  return times;
}

function describe({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const place = url.replace(/^.*\/(src|node_modules)\//, '$1/');
  return `${name} ${place}:${lineNumber + 1}`;
}
