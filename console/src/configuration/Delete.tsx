import { Button, Group, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, queryClient } from '../api/client';
import { itemPath, listPage } from '../api/collections';
import { asProblem, type Problem } from '../api/problem';
import { Dialog } from '../parts/Dialog';
import { useNotify } from '../parts/notify';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import type { Standing } from './ItemPage';
import type { Collection } from './menu';

/** Deletes an item, or revokes a key, after a question; says why when that is refused. */
export function Delete({ collection, standing }: { collection: Collection; standing: Standing }) {
  const t = useTexts(configuration);
  const navigate = useNavigate();
  const notify = useNotify();
  const [opened, { open, close }] = useDisclosure();
  const { code } = standing.item;
  const one = t.collections[collection].one;
  const name = collection === 'keys' ? standing.item.name : code;
  const say = collection in t.removal ? t.removal[collection as keyof typeof t.removal] : t.removal.items;
  const remove = useMutation<unknown, Problem>({
    mutationFn: () =>
      api
        .DELETE(itemPath(collection), { params: { path: { code }, header: { 'If-Match': standing.version } } })
        .catch((error) => Promise.reject(asProblem(error))),
    onSuccess: async () => {
      close();
      notify(say.done(one, name));
      await navigate({ to: listPage(collection), ignoreBlocker: true });
      await queryClient.invalidateQueries({ queryKey: ['config'], predicate: (q) => q.queryKey.length === 2 });
    },
  });
  return (
    <>
      <Button
        variant="default"
        size="sm"
        onClick={() => {
          remove.reset();
          open();
        }}
      >
        {say.verb}
      </Button>
      <Dialog opened={opened} onClose={close} title={<bdi>{say.ask(one, name)}</bdi>}>
        <ProblemAlert problem={remove.error ?? undefined} />
        <Text size="sm" mb="md">
          {say.text}
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button color="red" onClick={() => remove.mutate()} loading={remove.isPending}>
            {say.verb}
          </Button>
        </Group>
      </Dialog>
    </>
  );
}
