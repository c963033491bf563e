// A machine of the tutorial's reader: a network of its own with the address that the page gives it, folders of its own where the page
// writes, a clone of the repository, and a Docker Engine that reads /etc/docker/daemon.json. What it writes is in memory, and gone with it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Daemon, removeTree, startDaemon } from '../support/engine.ts';
import { eventually } from '../support/processes.ts';
import { serverEngineTools } from '../support/server-engine.ts';
import { findTool, newerTools, run, tryRun } from '../support/tools.ts';

export const machineTools = [...serverEngineTools, 'unshare', 'setpriv', 'npm', 'curl'];

const repository = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

/** Where the page's reader is at home, and has the clone. */
export const HOME = '/home/you';
export const CLONE = `${HOME}/berth`;

/** What a command has said, stdout and stderr as they came. */
export interface Said {
  code: number;
  text: string;
}

export interface ScriptOptions {
  /** It has a terminal, as the reader has, and shows what it does in place. */
  terminal?: boolean;
  /** What is typed when a question stands there; it has a terminal then. */
  answers?: readonly (readonly [question: string, answer: string])[];
  env?: Record<string, string>;
  /** SIGKILL after so many ms. */
  within?: number;
}

/** A program that goes on while the reader does something else. */
export interface Running {
  output: () => string;
  /** Ctrl-C, and then its exit code. */
  stop: () => Promise<number>;
}

export class Machine {
  /** The folder that its reader is in. */
  folder = HOME;
  /** What was exported in its shell. */
  readonly exports: string[] = [];
  readonly #running: Running[] = [];
  #engine: Daemon | undefined;

  private constructor(
    readonly name: string,
    readonly namespace: string,
    readonly root: string,
    readonly holder: ReturnType<typeof Bun.spawn>,
  ) {}

  /** @param other a machine that is there already, to which a wire is laid */
  static async start(name: string, address: string, other?: Machine): Promise<Machine> {
    const root = mkdtempSync(join(tmpdir(), `berth-tutorial-${name}-`));
    const namespace = `berth-${process.pid}-${crypto.randomUUID().slice(0, 6)}`;
    await run(['ip', 'netns', 'add', namespace]);
    writeFileSync(join(root, 'folders'), FOLDERS);
    const alone = ['nsenter', `--net=/run/netns/${namespace}`, '--', 'unshare', '--mount', '--propagation', 'private'];
    const holder = Bun.spawn(
      ['setpriv', '--pdeathsig', 'KILL', ...alone, 'sh', join(root, 'folders'), root, repository, CLONE],
      { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' },
    );
    const machine = new Machine(name, namespace, root, holder);
    try {
      const reader = holder.stdout.getReader();
      const { value } = await reader.read();
      if (!new TextDecoder().decode(value).includes('ready')) throw new Error(`${name}: its folders cannot be made`);
      reader.releaseLock();
      await run(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
      if (other !== undefined) await layWire(other.namespace, namespace);
      else await run(['ip', '-n', namespace, 'link', 'add', 'lan', 'type', 'bridge']);
      const device = other === undefined ? 'lan' : 'eth0';
      await run(['ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', device]);
      await run(['ip', '-n', namespace, 'link', 'set', device, 'up']);
      await machine.#startEngine();
      return machine;
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  /** Before a command: runs it on this machine. */
  get enter(): string[] {
    return ['nsenter', '--target', String(this.holder.pid), '--net', '--mount', '--'];
  }

  get env(): Record<string, string> {
    const path = [join(this.root, 'bin'), '/usr/local/bin', join(newerTools, 'usr/sbin'), join(newerTools, 'usr/bin')];
    return {
      PATH: [...path, process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(':'),
      HOME,
      USER: 'you',
      DOCKER_HOST: `unix://${this.root}/docker.sock`,
      DOCKER_CLI_HINTS: 'false',
      NO_COLOR: '1',
      LC_ALL: 'C.UTF-8',
    };
  }

  /** Where the test finds a file of this machine. */
  path(file: string): string {
    return `/proc/${this.holder.pid}/root${file}`;
  }

  write(file: string, content: string | Uint8Array, mode?: number): void {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), content, mode === undefined ? {} : { mode });
  }

  #command(script: string): string[] {
    const text = ['exec 2>&1', 'set -e', `cd ${this.folder}`, ...this.exports, script].join('\n');
    return [...this.enter, 'sh', '-c', text];
  }

  /** Runs lines of a shell in the reader's folder, to their end. */
  async script(
    text: string,
    { answers = [], terminal = answers.length > 0, env = {}, within = 150_000 }: ScriptOptions = {},
  ): Promise<Said> {
    let said = '';
    const left = [...answers];
    const decoder = new TextDecoder();
    const child = Bun.spawn(this.#command(text), {
      env: { ...this.env, ...env },
      ...(!terminal
        ? { stdin: 'ignore' as const, stdout: 'pipe' as const }
        : {
            terminal: {
              cols: 400,
              data(terminal: Bun.Terminal, data: Uint8Array) {
                said += decoder.decode(data, { stream: true });
                const [next] = left;
                if (next === undefined || !said.includes(next[0])) return;
                left.shift();
                terminal.write(`${next[1]}\r`);
              },
            },
          }),
    });
    let late = '';
    const timer = setTimeout(() => {
      late = `\nended after ${within} ms`;
      child.kill('SIGKILL');
    }, within);
    try {
      if (!terminal) said = await new Response(child.stdout).text();
      const code = await child.exited;
      if (terminal) {
        await Bun.sleep(100);
        child.terminal?.close();
      }
      const unasked = left.map(([question]) => `\nnever asked: ${question}`).join('');
      return { code, text: said + late + unasked };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Starts what runs until it is ended. */
  begin(text: string, env: Record<string, string> = {}): Running {
    const log = join(this.root, `log-${this.#running.length}`);
    writeFileSync(log, '');
    const child = Bun.spawn(['setpriv', '--pdeathsig', 'KILL', 'setsid', ...this.#command(text)], {
      env: { ...this.env, ...env },
      stdin: 'ignore',
      stdout: Bun.file(log),
    });
    const running: Running = {
      output: () => readFileSync(log, 'utf8'),
      async stop() {
        signalAll(child.pid, 'SIGINT');
        const timer = setTimeout(() => signalAll(child.pid, 'SIGKILL'), 40_000);
        const code = await child.exited;
        clearTimeout(timer);
        return code;
      },
    };
    this.#running.push(running);
    return running;
  }

  async docker(args: string[]): Promise<string> {
    return await run([...this.enter, 'docker', ...args], { env: this.env });
  }

  /** Gives the engine an image as others pull it from a public registry: this machine's busybox under its name. */
  async addImage(name: string): Promise<void> {
    const tree = mkdtempSync(join(tmpdir(), 'berth-tutorial-image-'));
    try {
      for (const folder of ['bin', 'etc', 'tmp', 'var']) mkdirSync(join(tree, folder));
      await run(['cp', findTool('busybox') ?? '/bin/busybox', join(tree, 'bin/busybox')]);
      await run(['chroot', tree, '/bin/busybox', '--install', '-s', '/bin']);
      writeFileSync(join(tree, 'etc/issue'), `${name}\n`);
      const archive = join(this.root, `${name}.tar`);
      // The same bytes on each machine, as what comes from a public registry is.
      await run(['tar', '-C', tree, '--sort=name', '--mtime=@0', '-cf', this.path(archive), '.']);
      await this.docker(['import', archive, name]);
    } finally {
      rmSync(tree, { recursive: true, force: true });
    }
  }

  async #startEngine(): Promise<void> {
    const bin = join(this.root, 'bin');
    for (const program of ['iptables', 'iptables-save', 'iptables-restore', 'ip6tables']) {
      const found = findTool(program.replace('tables', 'tables-legacy')) ?? findTool(program);
      if (found !== undefined) await run([...this.enter, 'ln', '-s', found, join(bin, program)]);
    }
    const { root } = this;
    this.#engine = await startDaemon({
      root,
      command: [
        ...this.enter,
        'dockerd',
        ...[
          '--data-root',
          join(root, 'data'),
          '--exec-root',
          join(root, 'exec'),
          '--pidfile',
          join(root, 'engine.pid'),
        ],
        ...['--host', `unix://${root}/docker.sock`, '--storage-driver', 'overlay2', '--ip6tables=false'],
        ...['--shutdown-timeout=3', '--dns', '127.0.0.1'],
      ],
      env: this.env,
      ready: async () =>
        (await tryRun([...this.enter, 'docker', 'version'], { env: this.env, within: 10_000 })).code === 0,
    });
    // systemd is the one thing that the machine lacks.
    const systemctl = `#!/bin/sh
case "$*" in
  'reload docker') kill -HUP "$(cat ${root}/engine.pid)" ;;
  'restart nginx') nginx -s quit 2>/dev/null || true; sleep 0.5; nginx ;;
  *) exit 1 ;;
esac
`;
    this.write('/usr/local/bin/systemctl', systemctl, 0o755);
    // On a terminal curl shows no progress of what it shows itself.
    this.write(`${HOME}/.curlrc`, 'silent\nshow-error\n');
  }

  /** The engine knows a registry that it may ask over plain HTTP. */
  async trusts(host: string): Promise<void> {
    await eventually(`the engine of ${this.name} knows ${host}`, 20_000, async () =>
      (await this.docker(['info', '--format', '{{json .RegistryConfig}}'])).includes(host),
    );
  }

  log(): string {
    return this.#engine?.log() ?? '';
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop()));
    if (this.#engine !== undefined) {
      const ids = (await tryRun([...this.enter, 'docker', 'ps', '-aq'], { env: this.env })).stdout
        .split('\n')
        .filter(Boolean);
      if (ids.length > 0) await tryRun([...this.enter, 'docker', 'rm', '-f', '-v', ...ids], { env: this.env });
      await this.#engine.end();
    }
    // What the page starts and never ends, as nginx.
    const left = (await tryRun(['ip', 'netns', 'pids', this.namespace])).stdout.split('\n').filter(Boolean);
    if (left.length > 0) await tryRun(['kill', '-KILL', ...left]);
    this.holder.kill('SIGKILL');
    await this.holder.exited;
    await tryRun(['ip', 'netns', 'delete', this.namespace]);
    await removeTree(this.root);
  }
}

/** Arguments: where the memory is mounted, the repository, and where the machine has it. */
const FOLDERS = `set -e
root=$1
mount -t tmpfs tmpfs "$root"
over() {
  mkdir -p "$root/upper-$1" "$root/work-$1" "$3"
  mount -t overlay overlay -o "lowerdir=$2,upperdir=$root/upper-$1,workdir=$root/work-$1" "$3"
}
over etc /etc /etc
over local /usr/local /usr/local
over lib /var/lib /var/lib
over log /var/log /var/log
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /home
mkdir -p /var/backups
mount -t tmpfs tmpfs /var/backups
over clone "$2" "$3"
rm -rf /etc/docker "$3/data" "$3/dist"
mkdir -p "$root/bin" /etc/docker
echo ready
exec sleep infinity
`;

/** Between the bridge of the first machine and eth0 of the second. */
async function layWire(first: string, second: string): Promise<void> {
  const device = `bth${crypto.randomUUID().slice(0, 8)}`;
  await run(['ip', '-n', first, 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', second]);
  await run(['ip', '-n', first, 'link', 'set', device, 'master', 'lan', 'up']);
}

function signalAll(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ended by itself in the meantime
  }
}
