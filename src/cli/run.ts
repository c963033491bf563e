import { Command, CommanderError } from 'commander';
import pkg from '../../package.json' with { type: 'json' };
import type { FromSupervisor } from '../workers/messages.ts';
import type { WorkerOrder } from '../workers/order.ts';
import type { WorkerProcess } from '../workers/worker-process.ts';
import { EXIT } from './exit.ts';

interface Entry {
  summary: string;
  /** A command module: it adds itself to the program. Loaded only when its name is typed. */
  load: () => Promise<{
    register: (program: Command, finish: (code: number) => void, firstWorker?: WorkerProcess) => void;
  }>;
}

/** By heading of the help and by name. */
const COMMANDS: Record<string, Record<string, Entry>> = {
  'The registry:': {
    serve: { summary: 'run the registry', load: () => import('./serve.ts') },
    setup: { summary: 'make the first account, an administrator', load: () => import('./setup.ts') },
    gc: { summary: 'remove what nothing names any more, also while berth serve runs', load: () => import('./gc.ts') },
    why: { summary: 'say what keeps a digest', load: () => import('./why.ts') },
    doctor: {
      summary: 'check a running registry from outside, and say the line to change',
      load: () => import('./doctor.ts'),
    },
    healthcheck: {
      summary: 'say whether the registry can serve, for containers',
      load: () => import('./healthcheck.ts'),
    },
    certificate: {
      summary: 'the certificate of the server, and how getting another one went',
      load: () => import('./certificate.ts'),
    },
    verify: { summary: 're-hash everything that is stored', load: () => import('./verify.ts') },
    backup: {
      summary: 'copy everything to a folder or a bucket, while berth serve runs',
      load: () => import('./backup.ts'),
    },
    restore: { summary: 'bring a backup back', load: () => import('./restore.ts') },
  },
  'Deployments:': {
    deploy: { summary: 'bring images to an environment', load: () => import('./deploy.ts') },
    promote: { summary: 'take what runs in one environment to the next', load: () => import('./promote.ts') },
    rollback: { summary: 'go back to the last stable deployment', load: () => import('./rollback.ts') },
    status: { summary: 'what is to run, and what really runs', load: () => import('./status.ts') },
    history: { summary: 'the deployments of an environment', load: () => import('./history.ts') },
    plan: { summary: 'say what a deployment would change', load: () => import('./plan.ts') },
    cancel: { summary: 'stop a deployment that is not done', load: () => import('./cancel.ts') },
    hold: { summary: 'let automation deploy nothing', load: () => import('./hold.ts') },
    resume: { summary: 'end a hold', load: () => import('./resume.ts') },
  },
  'Stacks and where they run:': {
    stack: { summary: 'make, list, change and delete stacks', load: () => import('./stack.ts') },
    env: { summary: 'make, list, change and delete environments', load: () => import('./env.ts') },
    config: { summary: 'the variables and secrets of an environment', load: () => import('./config.ts') },
    release: { summary: 'make, list, compare and revoke releases', load: () => import('./release.ts') },
    target: { summary: 'enroll, list and revoke servers that run an environment', load: () => import('./target.ts') },
    agent: { summary: 'run an environment on this server', load: () => import('./agent.ts') },
    up: { summary: 'run chosen versions on this machine', load: () => import('./up.ts') },
    down: { summary: 'stop and remove what berth up started', load: () => import('./down.ts') },
  },
  'Images:': {
    tag: { summary: 'list tags, show their history, undo a change', load: () => import('./tag.ts') },
    repository: {
      summary: 'make, list, describe, rename and delete repositories',
      load: () => import('./repository.ts'),
    },
    import: {
      summary: 'bring images from another registry, its folder, or an OCI layout',
      load: () => import('./import.ts'),
    },
    export: {
      summary: 'write images to an OCI layout, or push them to another registry',
      load: () => import('./export.ts'),
    },
    cache: {
      summary: 'fetch what is pulled below a prefix from another registry',
      load: () => import('./cache.ts'),
    },
    mirror: { summary: 'let repositories follow those of other registries', load: () => import('./mirror.ts') },
    upstream: { summary: 'other registries by name, for caches and mirrors', load: () => import('./upstream.ts') },
    retention: { summary: 'say which tags stay, and which go by themselves', load: () => import('./retention.ts') },
  },
  'Accounts:': {
    login: { summary: 'log in to a registry, for the commands of berth', load: () => import('./login.ts') },
    logout: { summary: 'end the log-in of berth login', load: () => import('./logout.ts') },
    whoami: { summary: 'say who you are on the server', load: () => import('./whoami.ts') },
    token: { summary: 'make, list and revoke access tokens', load: () => import('./token.ts') },
    user: { summary: 'make, list, disable and delete users', load: () => import('./user.ts') },
    organization: { summary: 'make, list, change and delete organizations', load: () => import('./organization.ts') },
    member: { summary: 'list, add and remove the members of an organization', load: () => import('./member.ts') },
    team: { summary: 'make, list and delete teams, add and remove their members', load: () => import('./team.ts') },
    grant: { summary: 'say who may read, write or administer', load: () => import('./grant.ts') },
    robot: { summary: 'make, list and delete accounts for machines', load: () => import('./robot.ts') },
    invitation: { summary: 'invite people to make an account', load: () => import('./invitation.ts') },
    quota: { summary: 'say how much namespaces may hold', load: () => import('./quota.ts') },
    webhook: {
      summary: 'make, list, test and delete webhooks, see their deliveries',
      load: () => import('./webhook.ts'),
    },
    events: { summary: 'what happened, and what happens now', load: () => import('./events.ts') },
    audit: { summary: 'who did what, from where and when', load: () => import('./audit.ts') },
  },
};

/**
 * Runs one command line. Returns the exit code; prints errors as one line on standard error, never a stack.
 *
 * @param firstWorker for `serve`: a worker that is starting already
 */
export async function run(args: string[], firstWorker?: WorkerProcess): Promise<number> {
  const name = args.find((arg) => !arg.startsWith('-'));
  if (name === 'worker' && process.send !== undefined) {
    const order = receiveOrder();
    const { runWorker } = await import('../workers/worker.ts');
    await runWorker(await order);
    return EXIT.ok;
  }
  const program = new Command('berth')
    .description('A self-hosted container registry that also ships what it stores.')
    .version(pkg.version)
    // A subcommand's own --version, as of a release, is its own.
    .enablePositionalOptions()
    .exitOverride();
  let code: number = EXIT.ok;
  const finish = (result: number) => {
    code = result;
  };
  for (const [heading, commands] of Object.entries(COMMANDS)) {
    program.commandsGroup(heading);
    for (const [command, { summary, load }] of Object.entries(commands)) {
      if (command === name) (await load()).register(program, finish, firstWorker);
      else program.command(command).summary(summary).description(summary).allowUnknownOption().allowExcessArguments();
    }
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { explain } = await import('./explain.ts');
    const { message, code: failure } = explain(error);
    process.stderr.write(`berth: ${message}\n`);
    return failure;
  }
}

/** What the supervisor tells a worker first. Listened for before the modules load: nothing sent meanwhile is lost. */
function receiveOrder(): Promise<WorkerOrder> {
  return new Promise((resolve) => {
    const listen = (message: FromSupervisor) => {
      if (message.kind !== 'serve') return;
      process.off('message', listen);
      resolve(message.order);
    };
    process.on('message', listen);
    // A supervisor that was killed can't say stop: its end closes the channel.
    process.on('disconnect', () => process.exit(1));
  });
}
