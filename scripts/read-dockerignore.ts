/**
 * Tells which paths of the repository a build may see. Understands what an allow-list needs: `*` first, then `!path`,
 * then what is out again wherever it lies (`**` + `/NAME`, NAME with `*` in it).
 *
 * @throws Error for any other pattern
 */
export function readDockerignore(text: string): (path: string) => boolean {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines[0] !== '*') throw new Error('.dockerignore has to begin with "*"');
  const allowed: string[] = [];
  const refused: RegExp[] = [];
  for (const line of lines.slice(1)) {
    const allow = /^!([\w.-]+)$/.exec(line)?.[1];
    const refuse = /^\*\*\/([\w.*-]+)$/.exec(line)?.[1];
    if (allow !== undefined && refused.length === 0) allowed.push(allow);
    else if (refuse !== undefined) refused.push(namePattern(refuse));
    else throw new Error(`.dockerignore: not read: ${line}`);
  }
  return (path) => {
    const names = path.split('/');
    return allowed.includes(names[0] ?? '') && !names.some((name) => refused.some((pattern) => pattern.test(name)));
  };
}

function namePattern(glob: string): RegExp {
  return new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
}
