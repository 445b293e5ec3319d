import { Spotlight, spotlight } from '@mantine/spotlight';
import { useNavigate } from '@tanstack/react-router';
import { usePerspectives } from '../perspectives';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

export const openCommands = () => spotlight.open();

/** Every page by its name, from the keyboard. */
export function Commands() {
  const t = useTexts(shell);
  const navigate = useNavigate();
  const actions = usePerspectives().map(({ name, groups }) => ({
    group: t.perspectives[name],
    actions: groups
      .flatMap((g) => g.entries)
      .map((e) => ({ id: `${name} ${e.path}`, label: e.label, onClick: () => void navigate({ to: e.path }) })),
  }));
  return (
    <Spotlight
      actions={actions}
      shortcut="mod + K"
      nothingFound={t.nothingFound}
      searchProps={{ placeholder: t.find, 'aria-label': t.find }}
      scrollable
      maxHeight={420}
    />
  );
}
