/** What is read of `User-Agent`; '' where nothing known is in it. */
export interface BrowserName {
  /** `Firefox 128` */
  browser: string;
  /** `Windows` */
  system: string;
}

/** Those that others call themselves too come after these others. */
const BROWSERS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Edge', /\b(?:Edg|EdgA|EdgiOS)\/(\d+)/],
  ['Opera', /\bOPR\/(\d+)/],
  ['Samsung Internet', /\bSamsungBrowser\/(\d+)/],
  ['Whale', /\bWhale\/(\d+)/],
  ['Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
  ['Chrome', /\b(?:Chrome|HeadlessChrome|CriOS)\/(\d+)/],
  ['Safari', /\bVersion\/(\d+)[\d.]* (?:Mobile\/\w+ )?Safari\//],
  ['curl', /^curl\/(\d+)/],
];

const SYSTEMS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Android', /\bAndroid\b/],
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Linux', /\bLinux\b/],
];

/** @param agent what a browser calls itself, and so whatever somebody liked to send */
export function browserName(agent: string): BrowserName {
  let browser = '';
  for (const [name, pattern] of BROWSERS) {
    const version = pattern.exec(agent)?.[1];
    if (version === undefined) continue;
    browser = `${name} ${version.slice(0, 4)}`;
    break;
  }
  return { browser, system: SYSTEMS.find(([, pattern]) => pattern.test(agent))?.[0] ?? '' };
}
