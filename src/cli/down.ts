import { type Command, Option } from 'commander';
import { Docker } from './local/docker.ts';
import { removeSet } from './local/remove.ts';
import { Sets } from './local/set.ts';
import { report } from './terminal.ts';
import { listSets } from './up.ts';
import { outputFormat } from './usage.ts';

interface DownOptions {
  keepVolumes?: boolean;
  list?: boolean;
  output: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  program
    .command('down [SET|STACK@ENV]')
    .summary('stop and remove what berth up started')
    .description(
      'Stop and remove what berth up started on this machine: containers, networks, volumes with all that is in them, and the\nimages that came with it and that nothing else uses. Without a name it is the only set that there is.',
    )
    .option('--keep-volumes', 'leave the volumes; berth up of the same set takes them again')
    .addOption(new Option('--volumes', 'as docker compose has it; it is so anyway').conflicts('keepVolumes').hideHelp())
    .option('--list', 'the sets on this machine')
    .option('--output <FORMAT>', 'text or json', 'text')
    .action(async (name: string | undefined, options: DownOptions) => {
      const json = outputFormat(options.output) === 'json';
      if (options.list) listSets(json);
      else await down(name, options, json);
      finish(0);
    });
}

async function down(name: string | undefined, options: DownOptions, json: boolean): Promise<void> {
  const sets = new Sets(process.env);
  const set = sets.choose(name);
  const docker = await Docker.open(process.env);
  const images = await removeSet(docker, sets, set, { keepVolumes: options.keepVolumes ?? false });
  const plural = images.length === 1 ? 'image' : 'images';
  const kept = options.keepVolumes ? '; its volumes stay' : '';
  report(json, { set: set.project, images }, `${set.project} is gone, and ${images.length} ${plural} with it${kept}`);
}
