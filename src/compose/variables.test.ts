// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of compose files
import { expect, test } from 'bun:test';
import { parseComposeFile } from './file.ts';
import { interpolate, reservedVariable, variablesOf } from './variables.ts';

test('the variables of a file are found wherever compose puts them in', () => {
  const file = parseComposeFile(`
services:
  web:
    image: alice/web:\${TAG:-latest}
    environment: { A: "$PLAIN", PASSED: , B: "\${NEEDED:?say it}", C: "$$NOT", D: "\${OUTER:-\${INNER}}" }
    command: ["\${TAG}"]
  api:
    image: alice/api
    environment: [ALSO_PASSED, "E=\${ALT:+x}"]
secrets: { key: { environment: KEY } }
`);
  expect(variablesOf(file)).toEqual([
    { name: 'ALSO_PASSED', hasDefault: true, required: false },
    { name: 'ALT', hasDefault: true, required: false },
    { name: 'INNER', hasDefault: false, required: false },
    { name: 'KEY', hasDefault: false, required: true },
    { name: 'NEEDED', hasDefault: false, required: true },
    { name: 'OUTER', hasDefault: true, required: false },
    { name: 'PASSED', hasDefault: true, required: false },
    { name: 'PLAIN', hasDefault: false, required: false },
    { name: 'TAG', hasDefault: false, required: false },
  ]);
});

test.each([
  ['$A-$B', '1-'],
  ['${A}${B-x}${E-x}${E:-y}', '1xy'],
  ['${B:+x}${A:+x}${E+y}', 'xy'],
  ['${B:-${A}}', '1'],
  ['$$A $${A}', '$A ${A}'],
  ['${B:-a:b}', 'a:b'],
])('%j is put together as by compose', (text, result) => {
  expect(interpolate(text, (name) => ({ A: '1', E: '' })[name])).toBe(result);
});

test.each(['$', '${', '${A', '${1}', '$-', '${A!x}'])('%j is refused', (text) => {
  expect(() => interpolate(text)).toThrow('write "$$" for the sign itself');
});

test('names that change what docker compose does can be no variables of an environment', () => {
  const reserved = ['PATH', 'HOME', 'DOCKER_HOST', 'COMPOSE_FILE', 'BERTH_TOKEN', 'LD_PRELOAD', 'http_proxy'];
  expect(reserved.filter((name) => !reservedVariable(name))).toEqual([]);
  expect(['DATABASE_URL', 'DOCKERFILE', 'PORT', 'LDAP_HOST'].filter(reservedVariable)).toEqual([]);
});
