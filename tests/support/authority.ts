// A certificate authority of a test's own, made with openssl.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './tools.ts';

export interface Certified {
  /** Files in PEM form. */
  certificate: string;
  key: string;
}

export interface CertificateWish {
  /** DNS names and addresses; `localhost` and `127.0.0.1` unless told. */
  names?: string[];
  /** 30 unless told; a negative number makes one that has expired. */
  days?: number;
  /** `YYYYMMDDHHMMSSZ`, for one that is not valid yet. */
  notBefore?: string;
}

export class Authority {
  #made = 0;

  private constructor(
    readonly folder: string,
    /** Its own certificate, a file. */
    readonly certificate: string,
    private readonly key: string,
  ) {}

  static async make(name = 'Test Authority'): Promise<Authority> {
    const folder = mkdtempSync(join(tmpdir(), 'berth-authority-'));
    const [certificate, key] = [join(folder, 'ca.pem'), join(folder, 'ca.key')];
    await newKey(key);
    await run([
      'openssl',
      'req',
      '-x509',
      '-new',
      '-key',
      key,
      '-subj',
      `/CN=${name}`,
      '-days',
      '30',
      '-out',
      certificate,
    ]);
    return new Authority(folder, certificate, key);
  }

  /** A certificate for a server or a client, with its authority behind it. */
  async certify(name: string, wish: CertificateWish = {}): Promise<Certified> {
    const { names = ['localhost', '127.0.0.1'], days = 30, notBefore } = wish;
    const base = join(this.folder, `${name}-${this.#made++}`);
    const [certificate, key, request, database] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.db`];
    await newKey(key);
    await run(['openssl', 'req', '-new', '-key', key, '-subj', `/CN=${name}`, '-out', request]);
    const alternatives = names.map((each) => `${/^[\d.]+$|:/.test(each) ? 'IP' : 'DNS'}:${each}`).join(',');
    writeFileSync(
      `${base}.cnf`,
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${database}\nnew_certs_dir=${this.folder}\nrand_serial=yes\ndefault_md=sha256\n` +
        `policy=any\nunique_subject=no\nx509_extensions=leaf\n[any]\ncommonName=supplied\n` +
        `[leaf]\nsubjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n`,
    );
    writeFileSync(database, '');
    const from = notBefore ?? stamp(Date.now() + (days < 0 ? days - 1 : -1) * 86_400_000);
    await run([
      ...[
        'openssl',
        'ca',
        '-batch',
        '-notext',
        '-config',
        `${base}.cnf`,
        '-cert',
        this.certificate,
        '-keyfile',
        this.key,
      ],
      ...['-in', request, '-out', certificate, '-startdate', from, '-enddate', stamp(Date.now() + days * 86_400_000)],
    ]);
    writeFileSync(certificate, readFileSync(certificate, 'utf8') + readFileSync(this.certificate, 'utf8'));
    return { certificate, key };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function newKey(path: string): Promise<string> {
  return run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', path]);
}

/** ASN.1 GeneralizedTime. */
function stamp(ms: number): string {
  return `${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')}`;
}
