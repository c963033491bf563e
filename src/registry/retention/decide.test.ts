import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { parseAge } from '../../oci/age.ts';
import { digestOf } from '../../oci/digest.ts';
import { matchesPattern } from '../../oci/tag-pattern.ts';
import { bytesOf, DAY, HOUR, tagged } from '../testing.ts';
import { Judge, type TagFacts, whyOf } from './decide.ts';
import type { RetentionPolicy, RetentionRule } from './policy.ts';

const NOW = Date.UTC(2027, 0, 31);
const DIGEST = digestOf(bytesOf('image'));

/** `days` before now. */
const tag = (name: string, days: number, more: Partial<TagFacts> = {}): TagFacts => ({
  name: tagged(name),
  digest: DIGEST,
  pushedAt: NOW - days * DAY,
  pulledAt: null,
  immutable: false,
  inUse: false,
  ...more,
});

/** Newest first, as a survey gives them; why by tag. */
function judged(policy: RetentionPolicy, tags: readonly TagFacts[]): Record<string, string> {
  const judge = new Judge(policy, NOW);
  const sorted = tags.toSorted((a, b) => b.pushedAt - a.pushedAt || (a.name < b.name ? 1 : -1));
  return Object.fromEntries(sorted.map((each) => [each.name, whyOf(policy, judge.decide(each).reason)]));
}

const goes = (rules: RetentionRule[], tags: readonly TagFacts[]) =>
  Object.entries(judged({ rules }, tags))
    .filter(([, why]) => why.startsWith('removed'))
    .map(([name]) => name);

describe('a tag', () => {
  test('that no rule is about stays', () => {
    expect(judged({ rules: [{ match: ['ci-*'], keepLast: 1 }] }, [tag('main', 900)])).toEqual({
      main: 'kept: no rule is about it',
    });
  });

  test('stays while any condition of any rule about it holds, and says which', () => {
    const rules: RetentionRule[] = [
      { match: ['v*'], keepLast: 1, pulledWithin: '30d' },
      { match: ['v1.*', 'latest'], pushedWithin: '8w' },
      { match: ['v0.1'], always: true },
    ];
    const tags = [
      tag('v1.2', 1),
      tag('v1.1', 50),
      tag('v0.9', 60, { pulledAt: NOW - DAY }),
      tag('v0.8', 61),
      tag('v0.1', 900),
      tag('latest', 57),
    ];
    expect(judged({ rules }, tags)).toEqual({
      'v1.2': 'kept by rule 1: among the last 1 of v*',
      'v1.1': 'kept by rule 2: set within 8w',
      'v0.9': 'kept by rule 1: used within 30d',
      'v0.8': 'removed: rule 1 is about v*: not among the last 1, not used within 30d',
      'v0.1': 'kept by rule 3: always keeps v0.1',
      latest: 'removed: rule 2 is about v1.*, latest: not set within 8w',
    });
  });

  test('that nobody pulled was used when it was set', () => {
    const rules: RetentionRule[] = [{ match: ['*'], pulledWithin: '30d' }];
    expect(goes(rules, [tag('young', 29), tag('old', 31), tag('pulled', 31, { pulledAt: NOW - 29 * DAY })])).toEqual([
      'old',
    ]);
  });

  test('is given the minutes to which pulls are known', () => {
    const rules: RetentionRule[] = [{ match: ['*'], pulledWithin: '12h' }];
    const pulled = (minutes: number) => tag(`m${minutes}`, 31, { pulledAt: NOW - 12 * HOUR - minutes * 60_000 });
    expect(goes(rules, [pulled(9), pulled(11)])).toEqual(['m11']);
  });

  test('among the last ones is counted by when it was set, protected ones too', () => {
    const tags = [tag('c', 1, { immutable: true }), tag('b', 2), tag('a', 3), tag('x', 2.5, { inUse: true })];
    expect(goes([{ match: ['*'], keepLast: 2 }], tags)).toEqual(['a']);
  });

  test('that is immutable or in use stays whatever the rules say', () => {
    const tags = [tag('new', 0), tag('fixed', 900, { immutable: true }), tag('deployed', 900, { inUse: true })];
    expect(judged({ rules: [{ match: ['*'], keepLast: 1 }] }, tags)).toMatchObject({
      fixed: 'kept: immutable',
      deployed: 'kept: deployed, or needed for a rollback',
    });
  });

  test('that is a signature stays as long as its image is there, and takes no place among the last ones', () => {
    const signature = tagged(`${DIGEST.replace(':', '-')}.sig`);
    const rules: RetentionRule[] = [{ match: ['*'], keepLast: 1 }];
    const signed = (there: boolean) => tag(signature, 0, { companion: { of: DIGEST, there } });
    expect(goes(rules, [signed(true), tag('v1', 1)])).toEqual([]);
    expect(goes(rules, [signed(false), tag('v1', 1)])).toEqual([signature]);
    expect(goes([{ match: ['v*'], keepLast: 1 }], [signed(false), tag('v1', 1)])).toEqual([]);
  });
});

test('for any tags, rules and times: protected tags stay, and of the others exactly those that the rules say', () => {
  const patterns = ['*', 'v*', 'ci-*', '?1', 'latest'];
  const condition = {
    keepLast: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    pushedWithin: fc.option(fc.constantFrom('1d', '10d', '3w'), { nil: undefined }),
    pulledWithin: fc.option(fc.constantFrom('2d', '12h'), { nil: undefined }),
    always: fc.constantFrom(undefined, undefined, true as const),
  };
  const rule = fc.record({ match: fc.uniqueArray(fc.constantFrom(...patterns), { minLength: 1 }), ...condition });
  const facts = fc.record({
    name: fc.constantFrom('v', 'ci-', 'latest', 'x').chain((start) => fc.nat(30).map((n) => tagged(`${start}${n}`))),
    days: fc.double({ min: 0, max: 40, noNaN: true }),
    pulled: fc.option(fc.double({ min: 0, max: 40, noNaN: true }), { nil: undefined }),
    immutable: fc.boolean(),
    inUse: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 4 }),
      fc.uniqueArray(facts, { selector: ({ name }) => name, maxLength: 25 }),
      (rules, drawn) => {
        const tags = drawn
          .map(({ name, days, pulled, ...rest }) =>
            tag(name, days, { ...rest, pulledAt: pulled === undefined ? null : NOW - pulled * DAY }),
          )
          .toSorted((a, b) => b.pushedAt - a.pushedAt);
        const judge = new Judge({ rules }, NOW);
        for (const each of tags) {
          expect([each.name, judge.decide(each).keep]).toEqual([each.name, shouldStay(each, tags, rules)]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** The rules as the documentation says them, over the whole list. */
function shouldStay(each: TagFacts, sorted: readonly TagFacts[], rules: readonly RetentionRule[]): boolean {
  if (each.immutable || each.inUse) return true;
  const about = ({ match }: RetentionRule, { name }: TagFacts) => match.some((one) => matchesPattern(one, name));
  const mine = rules.filter((rule) => about(rule, each));
  const ms = (age: string | undefined) => (age === undefined ? -1 : (parseAge(age) ?? -1));
  const kept = mine.some((rule) => {
    const newest = sorted.filter((other) => about(rule, other)).slice(0, rule.keepLast ?? 0);
    const unused = NOW - Math.max(each.pulledAt ?? 0, each.pushedAt);
    return (
      rule.always === true ||
      newest.includes(each) ||
      (rule.pushedWithin !== undefined && NOW - each.pushedAt <= ms(rule.pushedWithin)) ||
      (rule.pulledWithin !== undefined && unused <= ms(rule.pulledWithin) + 10 * 60_000)
    );
  });
  return mine.length === 0 || kept;
}
