import { Button, Popover, TextInput } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import { parts } from '../texts/parts';
import type { PageSearch } from './address';

/** An instant as the input for times wants it: in local time, to the second. */
function local(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Asks for a past time; the whole page then shows what was there. */
export function AsOf({ asOf }: { asOf?: string }) {
  const t = useTexts(care);
  const p = useTexts(parts);
  const search = useSearch({ strict: false }) as PageSearch;
  const navigate = useNavigate();
  const [opened, setOpened] = useState(false);
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState('');
  return (
    <Popover opened={opened} onChange={setOpened} trapFocus withArrow shadow="md" position="bottom-end">
      <Popover.Target>
        <Button
          variant="default"
          onClick={() => {
            setText(local(asOf ? new Date(asOf) : new Date()));
            setWrong('');
            setOpened((o) => !o);
          }}
        >
          {t.asOf}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t.asOf}>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            const at = new Date(text);
            if (Number.isNaN(at.getTime())) return setWrong(t.asOfNeeded);
            if (at.getTime() > Date.now()) return setWrong(t.asOfFuture);
            setOpened(false);
            void navigate({ to: '.', search: { ...search, asOf: at.toISOString() } as never });
          }}
        >
          <TextInput
            type="datetime-local"
            step={1}
            min="1970-01-01T00:00:00"
            label={t.asOfLabel}
            description={p.inLocalTime(Intl.DateTimeFormat().resolvedOptions().timeZone)}
            value={text}
            error={wrong}
            onChange={(e) => setText(e.currentTarget.value)}
            data-autofocus
          />
          <Button type="submit" size="xs" mt="xs">
            {t.asOfShow}
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
