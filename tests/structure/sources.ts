import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';

/** Source text by path below `src/`, with `/`. */
export type Sources = ReadonlyMap<string, string>;

export function readSources(root: string): Sources {
  const sources = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    sources.set(relative(root, path).replaceAll('\\', '/'), readFileSync(path, 'utf8'));
  }
  return sources;
}

/** Tests beside their files, and what only tests use. Programs never import them. */
export function isTestCode(path: string): boolean {
  return /\.test\.tsx?$|(^|\/)((?:[a-z]+-)?contract|test-databases|testing)\.ts$/.test(path);
}

/** An import as it is written: static, for its side effects, re-exported, type-only or dynamic. */
export interface Import {
  specifier: string;
  /** The path below `src/` that a relative specifier names, or undefined for a package. */
  path: string | undefined;
}

const STATIC = /\b(?:import|export)\b[\w\s*{},$]*?\bfrom\s*(['"])([^'"]+)\1/g;
const BARE = /\bimport\s*(['"])([^'"]+)\1/g;
const CALL = /\bimport\s*\(\s*(?:(['"])([^'"]+)\1)?/g;

/** @throws when an import's target is computed, so that nothing can be said of it */
export function importsOf(path: string, source: string): Import[] {
  const code = withoutComments(source);
  const specifiers = [STATIC, BARE, CALL].flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      if (match[2] === undefined) throw new Error(`${path}: an import whose target is not a plain string`);
      return match[2];
    }),
  );
  return specifiers.map((specifier) => ({
    specifier,
    path: specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(path), specifier)) : undefined,
  }));
}

const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/.source;
const TEXT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/.source;
const TEMPLATE = /`(?:\\[\s\S]|[^`\\])*`/.source;
/** A slash where no division can stand: after an operator, an opening bracket or at the beginning of a line. */
const PATTERN = /(?<=[(,=:[!&|?{};>]\s*|\breturn\s+|^\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/
  .source;
const LEXEMES = new RegExp([COMMENT, TEXT, TEMPLATE, PATTERN].join('|'), 'gm');

export function withoutComments(source: string): string {
  return source.replace(LEXEMES, (lexeme) => (/^\/[*/]/.test(lexeme) ? ' ' : lexeme));
}

/** Without comments, strings and patterns: names alone. Templates stay, for the names in their `${}`. */
export function withoutText(source: string): string {
  return source.replace(LEXEMES, (lexeme) => (lexeme.startsWith('`') ? lexeme : /^\/[*/]/.test(lexeme) ? ' ' : "''"));
}
