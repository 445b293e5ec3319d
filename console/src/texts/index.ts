import { createContext, useContext } from 'react';

export const languages = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof languages;

/**
 * The texts of one part of the console in all languages. A text that one
 * language lacks, or has in another form, is a type error.
 */
export type Catalogue<T> = { en: T; de: NoInfer<T> };

export function catalogue<T>(texts: Catalogue<T>): Catalogue<T> {
  return texts;
}

const stored = 'casm.language';

export function preferredLanguage(): Language {
  const wanted = localStorage.getItem(stored) ?? navigator.language.slice(0, 2);
  return wanted in languages ? (wanted as Language) : 'en';
}

export function rememberLanguage(language: Language) {
  localStorage.setItem(stored, language);
}

export const LanguageContext = createContext<{ language: Language; setLanguage(language: Language): void }>({
  language: 'en',
  setLanguage: () => {},
});

export function useLanguage() {
  return useContext(LanguageContext);
}

/** The texts of a catalogue in the language that is chosen. */
export function useTexts<T>(texts: Catalogue<T>): T {
  return texts[useLanguage().language];
}
