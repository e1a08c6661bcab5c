'use client';

import { useMantineColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import { offeredActions, type PageAction } from '../../components/page-actions.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { asksForRules, isNamed } from './matching.ts';

const MAX_VIEWS = 6;
const MAX_RULES = 6;
const PAGES = [
  ['All runs', '/'],
  ['Wall of runs at risk', '/?wall'],
  ['Alerts', '/alerts'],
  ['Compare runs', '/compare'],
] as const;
const COLORS = [
  ['Light colors', 'light'],
  ['Dark colors', 'dark'],
  ['Colors of the system', 'auto'],
] as const;

export function usePages(typed: string): PageAction[] {
  const router = useRouter();
  const trpc = useTRPC();
  const projects = useQuery(trpc.project.list.queryOptions()).data ?? [];
  const saved = useQuery(trpc.view.list.queryOptions()).data ?? [];
  const pages = PAGES.map(([name, address]) => ({ name, act: () => router.push(address) }));
  const views = saved.map(({ name, query }) => ({ name: `View ${name}`, act: () => router.push(`/?${query}`) }));
  const rules = projects.map((project) => ({
    name: `Rules of ${project}`,
    act: () => router.push(`/projects/${encodeURIComponent(project)}/rules`),
  }));
  return [
    ...named(pages, typed),
    ...named(views, typed).slice(0, MAX_VIEWS),
    ...named(rules, typed).slice(0, asksForRules(typed) ? MAX_RULES : 0),
  ];
}

/** First what the page offers, then what is always there. */
export function useActions(typed: string): PageAction[] {
  const [offered] = useState(offeredActions);
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const colors = COLORS.filter(([, scheme]) => scheme !== colorScheme).map(([name, scheme]) => ({
    name,
    act: () => setColorScheme(scheme),
  }));
  return named([...offered, ...colors], typed);
}

function named(actions: readonly PageAction[], typed: string): PageAction[] {
  return actions.filter(({ name }) => isNamed(name, typed));
}
