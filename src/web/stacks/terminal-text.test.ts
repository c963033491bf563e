import { describe, expect, test } from 'bun:test';
import { plainText } from './terminal-text.ts';

describe('what a container wrote', () => {
  test.each([
    [
      'has its colours and moves taken out',
      '\u001b[1;31mFATAL\u001b[0m no\u001b[2K such\u001b[10;20H table',
      'FATAL no such table',
    ],
    ['can not name a window or make a link', 'a\u001b]0;pwned\u0007b\u001b]8;;http://x\u001b\\c', 'abc'],
    ['loses a sequence that was cut off', 'end\u001b[31', 'end'],
    ['keeps tabs and lines', 'a\tb\r\nc\n\n', 'a\tb\nc'],
    ['shows what a line ended as', '10%\r50%\r100%\ndone', '100%\ndone'],
    ['has nothing that turns the direction or can not be seen', 'a\u202eb\u2066c\u0000d\u0008e', 'abcde'],
    ['is text, whatever it looks like', '<script>alert(1)</script>', '<script>alert(1)</script>'],
  ])('%s', (_, written, shown) => {
    expect(plainText(written)).toBe(shown);
  });
});
