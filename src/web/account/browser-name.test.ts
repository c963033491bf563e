import { expect, test } from 'bun:test';
import { browserName } from './browser-name.ts';

const AGENTS: Record<string, [browser: string, system: string]> = {
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0': ['Firefox 128', 'Linux'],
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36': [
    'Chrome 131',
    'Windows',
  ],
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0':
    ['Edge 131', 'Windows'],
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15':
    ['Safari 18', 'macOS'],
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1':
    ['Safari 18', 'iPhone'],
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36':
    ['Samsung Internet 27', 'Android'],
  'curl/8.10.1': ['curl 8', ''],
  'berth/0.1.0': ['', ''],
  '': ['', ''],
};

test('a browser is called what people call it', () => {
  for (const [agent, [browser, system]] of Object.entries(AGENTS)) {
    expect([agent, browserName(agent)]).toEqual([agent, { browser, system }]);
  }
});
