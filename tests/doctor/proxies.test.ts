// berth doctor through the files of packaging/proxies: nothing wrong as they are, and the line when one is changed.
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { proxiesHere, type Site, type SiteOptions, startSite } from '../proxies/site.ts';
import { examineWith, faultsOf, type Report } from './rig.ts';

setDefaultTimeout(120_000);

const here = proxiesHere('doctor', []);

async function examined(name: (typeof here)[number], options: SiteOptions = {}): Promise<Report> {
  let site: Site | undefined;
  try {
    site = await startSite(name, options);
    return await examineWith(site.administrator.secret, [site.proxy.url, '--ca', site.proxy.authority]);
  } finally {
    await site?.stop();
  }
}

const codes = ({ checks }: Report, fault: string) =>
  checks.flatMap(({ name, state, lines }) => (`${name} ${state}` === fault ? lines.map(({ code }) => code) : []));

describe.each(here)('berth doctor, through %s as documented', (name) => {
  test('finds nothing wrong but that the certificate is for a test', async () => {
    const report = await examined(name);
    expect(faultsOf(report)).toEqual(['certificate warning']);
    expect(report.code).toBe(0);
  });
});

describe.if(here.includes('apache'))('berth doctor, through Apache httpd', () => {
  test('names its lines for what is wrong, and no others', async () => {
    const report = await examined('apache', {
      replace: [
        ['RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}', 'RequestHeader set X-Forwarded-Proto http'],
        ['ProxyTimeout 900', 'ProxyTimeout 1'],
      ],
    });
    expect(codes(report, 'address failed')).toEqual(['RequestHeader set X-Forwarded-Proto "https"']);
    expect(codes(report, 'slow answer failed')).toEqual(['ProxyTimeout 900']);
    expect(report.checks.flatMap(({ lines }) => lines.map(({ where }) => where))).not.toContain('nginx');
  });
});
