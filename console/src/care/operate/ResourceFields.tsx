import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client';
import { isolated, NamedField } from '../../form/pickers';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { at, type SpecialProps } from './special';

/** One of the resources that the subscriber has: its type, and its value that is ended or swapped out. */
export function ResourceFields({ operation, entity, values, onChange, problem }: SpecialProps) {
  const t = useTexts(operate);
  const member = operation.path.endsWith('/swap') ? 'swapResource' : 'resource';
  const refId = entity?.refId ?? '';
  const { data } = useQuery({
    queryKey: ['subscribers', refId, 'resources', 'present'],
    queryFn: async ({ signal }) =>
      (await api.GET('/v1/casm/subscribers/resources/read', { params: { query: { refId } }, signal })).data?.items ?? [],
  });
  const error = at(problem, `/${member}`) ?? at(problem, '/resourceType');
  const present = (data ?? []).map((r) => ({
    value: `${r.resourceType} ${r.resource}`,
    label: `${r.resourceType} ${isolated(r.resource)}`,
  }));
  return (
    <NamedField
      schema={{}}
      value={values.resourceType && values[member] ? `${values.resourceType} ${values[member]}` : undefined}
      onChange={(v) => {
        const one = data?.find((r) => `${r.resourceType} ${r.resource}` === v);
        onChange({ ...values, resourceType: one?.resourceType, [member]: one?.resource });
      }}
      options={present}
      wrap={{ label: t.presentResource, error, 'aria-required': true, 'data-pointer': `/${member}` }}
    />
  );
}
