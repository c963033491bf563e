import { join } from 'node:path';
import { alternate, type Row } from '../bench.ts';
import { checkBlob } from '../distribution.ts';
import { writeLargeFile } from '../large-file.ts';
import { download, uploadWhole } from '../load.ts';
import type { Measurement } from '../measurement.ts';
import { run } from '../processes.ts';
import { type Contender, contenders, withNginx, withRegistry } from '../servers.ts';
import { median } from '../statistics.ts';

const repository = 'bench/large';

/** GET of one large blob: from docker-registry, from nginx with sendfile and from Berth. */
export const blobGet: Row = {
  key: 'blob-get',
  title: 'blob GET (curl), against docker-registry and nginx',
  async run(bench) {
    const file = writeLargeFile(bench);
    const directories = [bench.directory('blob-get'), bench.directory('blob-get'), bench.directory('nginx')] as const;
    const data = { 'docker-registry': directories[0], berth: directories[1] };
    try {
      for (const contender of contenders) {
        await withRegistry(bench, contender, { data: data[contender] }, async (server) => {
          await uploadWhole(server.url, repository, file.path, file.digest);
          await checkBlob(server.url, repository, file.digest);
        });
      }
      await run(['sync']);
      const path = `/v2/${repository}/blobs/${file.digest}`;
      // The first download fills the page cache; the median of the next ones is one sample.
      const measure = async (url: string) => {
        await download(url, file.size);
        const speeds = [];
        for (let n = 0; n < 5; n++) speeds.push(await download(url, file.size));
        return median(speeds);
      };
      const registry = (contender: Contender) => () =>
        withRegistry(bench, contender, { data: data[contender] }, (server) => measure(server.url + path));
      // nginx sends the very file that Berth sends: the same pages of the cache.
      const hex = file.digest.slice('sha256:'.length);
      const nginxPath = `/sha256/${hex.slice(0, 2)}/${hex}`;
      const files = join(data.berth, 'blobs');
      const samples = await alternate(bench.runs, {
        'docker-registry': registry('docker-registry'),
        nginx: () => withNginx(bench, { data: directories[2], files }, (server) => measure(server.url + nginxPath)),
        berth: registry('berth'),
      });
      const base = {
        row: 'blob-get',
        unit: 'MB/s',
        better: 'higher',
        subject: 'berth',
        label: `blob GET, ${file.sizeText}`,
      } satisfies Partial<Measurement>;
      return [
        {
          ...base,
          samples: { 'docker-registry': samples['docker-registry'], berth: samples.berth },
          bar: { kind: 'times', atLeast: 1.3, than: 'docker-registry' },
          notes: ['read by curl to /dev/null, warm page cache, default workers'],
        },
        {
          ...base,
          samples: { nginx: samples.nginx, berth: samples.berth },
          bar: { kind: 'times', atLeast: 0.9, than: 'nginx' },
          notes: ["nginx sends Berth's own file with sendfile and tcp_nopush on, access log off"],
        },
      ];
    } finally {
      for (const directory of [...directories, file.directory]) bench.remove(directory);
    }
  },
};
