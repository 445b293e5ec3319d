import { useLanguage } from '../texts';

/** An instant in the reader's own time zone; the exact one, in UTC, as a hint. */
export function When({ at }: { at: string | undefined }) {
  const { language } = useLanguage();
  if (!at) return null;
  return (
    <time dateTime={at} title={at}>
      {new Date(at).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'medium' })}
    </time>
  );
}
