// Packages of Debian, for any architecture, without installing them: apt's own client, with lists of its own beside the system's.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './run-program.ts';

/**
 * Unpacks packages of the release of this machine, Debian, below `into/<package>`; returns each one's control file.
 *
 * @param work an empty folder
 * @throws with what apt said
 */
export function unpackPackages(
  architecture: string,
  packages: string[],
  work: string,
  into: string,
): Map<string, string> {
  const lists = join(work, 'lists');
  const archives = join(work, 'packages');
  for (const folder of [join(lists, 'partial'), join(work, 'cache'), archives, into])
    mkdirSync(folder, { recursive: true });
  const options = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    // As root apt would fetch as another user, who may not write here.
    'APT::Sandbox::User': 'root',
    'Dir::State::Lists': lists,
    'Dir::Cache': join(work, 'cache'),
  };
  const given = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  runProgram(['apt-get', '-qq', ...given, 'update']);
  runProgram(['apt-get', '-qq', ...given, 'download', ...packages], archives);
  const controls = new Map<string, string>();
  for (const name of packages) {
    const file = readdirSync(archives).find((archive) => archive.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`apt-get brought no package ${name}`);
    runProgram(['dpkg-deb', '--extract', join(archives, file), join(into, name)]);
    controls.set(name, runProgram(['dpkg-deb', '--field', join(archives, file)]));
  }
  return controls;
}
