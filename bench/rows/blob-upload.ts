import { alternate, type Row } from '../bench.ts';
import { checkBlob } from '../distribution.ts';
import { writeLargeFile } from '../large-file.ts';
import { uploadStreamed, uploadWhole } from '../load.ts';
import { run } from '../processes.ts';
import { type Contender, withRegistry } from '../servers.ts';
import { number } from '../table.ts';

const repository = 'bench/large';

/** Upload of one large blob, until the server says that it has verified and kept it. */
export const blobUpload: Row = {
  key: 'blob-upload',
  title: 'blob upload, verified and durable (curl)',
  async run(bench) {
    const file = writeLargeFile(bench);
    try {
      const upload = (contender: Contender, send: typeof uploadStreamed) => async (round: number) => {
        const data = bench.directory('blob-upload');
        try {
          return await withRegistry(bench, contender, { data }, async (server) => {
            // What the round before left to write back must not be paid for by this one.
            await run(['sync']);
            const seconds = await send(server.url, repository, file.path, file.digest);
            bench.say(`round ${round + 1}: ${contender} ${send.name} ${number(seconds)} s`);
            if (round === 0) await checkBlob(server.url, repository, file.digest);
            return seconds;
          });
        } finally {
          bench.remove(data);
        }
      };
      const measure = (send: typeof uploadStreamed) =>
        alternate(bench.runs, {
          'docker-registry': upload('docker-registry', send),
          berth: upload('berth', send),
        });
      const disk = await diskSeconds(bench.directory('disk'), file.size);
      const notes = [
        `this disk alone needs ${number(disk)} s to write and fsync as much`,
        'docker-registry as Debian ships it: fsync of the file at the end of the PATCH and at the PUT, then a rename; no fsync of the directory, so that its 201 may be lost to a power cut',
      ];
      return [
        {
          row: 'blob-upload',
          label: `blob upload, ${file.sizeText}, POST + chunked PATCH + PUT, as Docker does`,
          unit: 's',
          better: 'lower',
          subject: 'berth',
          samples: await measure(uploadStreamed),
          bar: { kind: 'times', atLeast: 2, than: 'docker-registry' },
          notes,
        },
        {
          row: 'blob-upload',
          label: `blob upload, ${file.sizeText}, POST + PUT with the content`,
          unit: 's',
          better: 'lower',
          subject: 'berth',
          samples: await measure(uploadWhole),
          bar: { kind: 'times', atLeast: 2, than: 'docker-registry' },
          notes: [],
        },
      ];
    } finally {
      bench.remove(file.directory);
    }
  },
};

/** What no server can beat: dd with one fsync at the end. */
async function diskSeconds(directory: string, size: number): Promise<number> {
  await run(['sync']);
  const { elapsed } = await run([
    'dd',
    'if=/dev/zero',
    `of=${directory}/file`,
    'bs=1M',
    `count=${size / 1024 / 1024}`,
    'conv=fsync',
  ]);
  await run(['rm', '-r', directory]);
  return elapsed / 1000;
}
