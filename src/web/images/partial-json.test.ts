import { expect, test } from 'bun:test';
import { parseBeginning } from './partial-json.ts';

test.each([
  ['{"a": [{"n": 1}, {"n": 2}, {"n": 3', { a: [{ n: 1 }, { n: 2 }, {}] }],
  ['{"a": "x", "b": "unfini', { a: 'x' }],
  ['{"a": "x", "b": tru', { a: 'x' }],
  ['{"a": "x", "b"', { a: 'x' }],
  ['{"a": "a \\" quote, {[", "b": 1', { a: 'a " quote, {[' }],
  ['[1, 2, 3', [1, 2]],
  ['{"a": {"b": {}}}', { a: { b: {} } }],
  ['{', {}],
])('the beginning %p is read as far as it is whole', (text, value) => {
  expect(parseBeginning(text)).toEqual(value);
});

test('every beginning of a document is read, and says nothing that the whole does not say', () => {
  const whole = '{"name":"a\\\\b\\"","list":[{"x":1.5,"y":[null,true]},"é,]}"],"last":{"z":""}}';
  for (let length = 1; length <= whole.length; length++) {
    expect(parseBeginning(whole.slice(0, length))).toBeDefined();
  }
  expect(parseBeginning(whole)).toEqual(JSON.parse(whole));
});

test.each(['', 'text', '"text', '}', '[[}'])('%p is no JSON', (text) => {
  expect(parseBeginning(text)).toBeUndefined();
});

test('what is nested without end is given up', () => {
  expect(parseBeginning('['.repeat(1_000_000))).toBeUndefined();
});
