// The tutorial as its reader takes it: sections of commands to type, files to write, and what is answered.
import { readFileSync } from 'node:fs';

/** A block of the page, or a command in a sentence. */
export interface Part {
  text: string;
  /** For people: its line in the page. */
  line: number;
  /** What the sentence says that it answers: `curl …` answers `Hello`. */
  answer?: string;
}

export interface Section {
  title: string;
  parts: Part[];
}

/** What in a sentence is a command rather than the name of one. */
const COMMAND = /^(?:(?:bin\/)?berth|docker|npm|curl|systemctl|echo|GIT_SHA=\S+) (?!compose$)\S|^GIT_SHA=/;

/** Sections by `## TITLE`; what stands before the first has the title ''. Blocks are indented by four spaces and end with an empty line. */
export function readTutorial(path: string): Section[] {
  const sections: Section[] = [{ title: '', parts: [] }];
  let block: Part | undefined;
  for (const [index, text] of readFileSync(path, 'utf8').split('\n').entries()) {
    const line = index + 1;
    const parts = sections.at(-1)?.parts ?? [];
    if (text.startsWith('    ')) {
      if (block === undefined) {
        block = { text: text.slice(4), line };
        parts.push(block);
      } else block.text += `\n${text.slice(4)}`;
      continue;
    }
    block = undefined;
    if (text.startsWith('## ')) sections.push({ title: text.slice(3), parts: [] });
    else parts.push(...commandsIn(text, line));
  }
  return sections;
}

function commandsIn(sentence: string, line: number): Part[] {
  return [...sentence.matchAll(/`([^`]+)`(?: answers `([^`]+)`)?/g)].flatMap(([, text = '', answer]) =>
    COMMAND.test(text) ? [{ text, line, ...(answer === undefined ? {} : { answer }) }] : [],
  );
}
