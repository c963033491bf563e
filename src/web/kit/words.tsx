import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';

/** The languages of the page, by their own names. The server chooses the first one (`src/http/page.ts`). */
export const LANGUAGES = { en: 'English', ko: '한국어' } as const;
export type Language = keyof typeof LANGUAGES;

/** The texts of one part of the page: strings, and functions of what is put in. */
export interface Words<W> {
  en: W;
  ko: W;
}

/** Texts in every language; one that is missing does not compile. */
export function defineWords<const W>(en: W, ko: Same<W>): Words<Same<W>> {
  return { en: en as Same<W>, ko };
}

type Same<W> = {
  [Key in keyof W]: W[Key] extends string
    ? string
    : W[Key] extends (...given: infer Given) => unknown
      ? (...given: Given) => string
      : Same<W[Key]>;
};

interface Chosen {
  language: Language;
  choose: (language: Language) => void;
}

const LanguageContext = createContext<Chosen>({ language: 'en', choose: () => {} });

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() => (document.documentElement.lang === 'ko' ? 'ko' : 'en'));
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const chosen = useMemo(
    () => ({
      language,
      choose: (next: Language) => {
        rememberChoice('berth_language', next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <LanguageContext value={chosen}>{children}</LanguageContext>;
}

export function useLanguage(): Chosen {
  return useContext(LanguageContext);
}

export function useWords<W>(words: Words<W>): W {
  return words[useLanguage().language];
}

const YEAR_SECONDS = 31_536_000;

/** A cookie for the server, so that the first document is right already; undefined forgets it. */
export function rememberChoice(name: string, value: string | undefined): void {
  const age = value === undefined ? 0 : YEAR_SECONDS;
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API needs a secure context, which plain HTTP is not
  document.cookie = `${name}=${value ?? ''}; Path=/; Max-Age=${age}; SameSite=Lax`;
}

/** `1 tag`, `2 tags`, for English. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
