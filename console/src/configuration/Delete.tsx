import { Button, Group, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, queryClient } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { Dialog } from '../parts/Dialog';
import { useNotify } from '../parts/notify';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import { itemPath, type Standing } from './ItemPage';
import { type Collection, listPage } from './menu';

/** Deletes an item, after a question; says why when that is refused. */
export function Delete({ collection, standing }: { collection: Collection; standing: Standing }) {
  const t = useTexts(configuration);
  const navigate = useNavigate();
  const notify = useNotify();
  const [opened, { open, close }] = useDisclosure();
  const { code } = standing.item;
  const one = t.collections[collection].one;
  const remove = useMutation<unknown, Problem>({
    mutationFn: () =>
      api
        .DELETE(itemPath(collection), { params: { path: { code }, header: { 'If-Match': standing.version } } })
        .catch((error) => Promise.reject(asProblem(error))),
    onSuccess: async () => {
      close();
      notify(t.removed(one, code));
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
        {t.remove}
      </Button>
      <Dialog opened={opened} onClose={close} title={<bdi>{t.removeAsk(one, code)}</bdi>}>
        <ProblemAlert problem={remove.error ?? undefined} />
        <Text size="sm" mb="md">
          {t.removeText}
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button color="red" onClick={() => remove.mutate()} loading={remove.isPending}>
            {t.remove}
          </Button>
        </Group>
      </Dialog>
    </>
  );
}
