// Plays the page: takes its parts in order, runs the commands that stand there, and compares what they say with what the page shows.
import { Comparison } from './comparison.ts';
import type { Machine, Running, Said, ScriptOptions } from './machine.ts';
import { type Part, readTutorial, type Section } from './page.ts';

export interface RunOptions extends ScriptOptions {
  /** What it ends with; 0 unless told. */
  code?: number;
  /** Changes the text for what the reader puts in: `berth_robot_…`. */
  with?: Record<string, string>;
}

export class Player {
  readonly sections: Section[];
  readonly comparison = new Comparison();
  /** Tokens that were shown once, by kind, the newest: `robot`. */
  readonly tokens: Record<string, string> = {};
  #parts: Part[] = [];
  #title = '';
  #said = '';

  constructor(path: string) {
    this.sections = readTutorial(path);
  }

  /** @throws when the page has no such section */
  open(title: string): void {
    const section = this.sections.find((one) => one.title === title);
    if (section === undefined) throw new Error(`the page has no section ${title}`);
    this.#parts = [...section.parts];
    this.#title = title;
  }

  /** @throws when something of the section was not played */
  close(): void {
    const [next] = this.#parts;
    if (next !== undefined) throw this.#wrong(next, 'is on the page, and no step of the test takes it');
  }

  /** The next part, where only its words are wanted. */
  take(): Part {
    const part = this.#parts.shift();
    if (part === undefined) throw new Error(`${this.#title}: the test has a step more than the page`);
    return part;
  }

  /** A command that the page only speaks of. */
  mentions(...texts: string[]): void {
    for (const text of texts) {
      const part = this.take();
      if (part.text !== text) throw this.#wrong(part, `where the test has: ${text}`);
    }
  }

  /** Runs the next part on a machine. */
  async runs(machine: Machine, options: RunOptions = {}): Promise<string> {
    const part = this.take();
    const text = this.#given(part.text, options.with);
    const said = await machine.script(text, options);
    for (const line of text.split('\n')) if (line.startsWith('export ')) machine.exports.push(line);
    this.#remember(said);
    if (said.code !== (options.code ?? 0)) throw this.#wrong(part, `ended with ${said.code}:\n${said.text}`);
    if (part.answer !== undefined && said.text.trim() !== part.answer) {
      throw this.#wrong(part, `answered ${said.text.trim()}, and on the page ${part.answer}`);
    }
    return said.text;
  }

  /** Starts the next part on a machine, where it goes on running; ready when it has said `until`. */
  async begins(machine: Machine, until: string, options: Pick<RunOptions, 'with' | 'env'> = {}): Promise<Running> {
    const part = this.take();
    const running = machine.begin(this.#given(part.text, options.with), options.env);
    const deadline = Date.now() + 60_000;
    while (!running.output().includes(until)) {
      if (Date.now() > deadline) throw this.#wrong(part, `has not said "${until}":\n${running.output()}`);
      await Bun.sleep(50);
    }
    await Bun.sleep(300);
    this.#remember({ code: 0, text: running.output() });
    return running;
  }

  /** Compares what was said last with the next parts of the page. */
  says(blocks = 1): void {
    this.shows(this.#said, blocks);
  }

  /** Compares any text with the next parts of the page. */
  shows(text: string, blocks = 1): void {
    const parts = Array.from({ length: blocks }, () => this.take());
    const [first] = parts;
    const page = parts.map((part) => part.text).join('\n');
    const difference = this.comparison.differs(page, text);
    if (difference !== undefined && first !== undefined) throw this.#wrong(first, difference);
    this.#said = '';
  }

  /** Writes the next part into a file. */
  writes(machine: Machine, file: string): void {
    machine.write(file.startsWith('/') ? file : `${machine.folder}/${file}`, `${this.take().text}\n`);
  }

  #given(text: string, values: Record<string, string> = {}): string {
    let given = this.comparison.translate(text);
    for (const [word, value] of Object.entries(values)) {
      if (!given.includes(word)) throw new Error(`${this.#title}: no ${word} in ${text}`);
      given = given.replaceAll(word, value);
    }
    return given;
  }

  #remember({ text }: Said): void {
    this.#said = text;
    for (const [token, kind = ''] of text.matchAll(/berth_([a-z]+)_[0-9A-Za-z]{20,}/g)) this.tokens[kind] = token;
  }

  #wrong({ text, line }: Part, why: string): Error {
    return new Error(`docs/tutorial.md, line ${line}, "${this.#title}":\n${text}\n${why}`);
  }
}
